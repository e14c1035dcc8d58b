import os
from uuid import uuid4

from greenroom_client import AuthenticatedClient, Client
from greenroom_client.api.authentication import sign_in
from greenroom_client.api.chats import list_chats
from greenroom_client.api.live_events import start_sync, sync
from greenroom_client.api.messages import get_message, list_messages, send_message
from greenroom_client.api.reactions import toggle_reaction
from greenroom_client.api.users import get_user
from greenroom_client.models import (
    ChatPage,
    FoundMessagePage,
    Message,
    NewMessage,
    NewMessageEvent,
    NewReaction,
    OwnUser,
    ReactionResult,
    SignIn,
    SyncRequest,
    SyncRequestChats,
    SyncResult,
    SyncStart,
)

base = os.environ["GREENROOM_URL"]
signed_in = sign_in.sync_detailed(client=Client(base), body=SignIn("alice", "greenroom"))
me = signed_in.parsed
assert isinstance(me, OwnUser)
cookie = signed_in.headers["set-cookie"].split(";")[0]
client = AuthenticatedClient(base, token=cookie, prefix="", auth_header_name="Cookie")

chats = list_chats.sync(client=client)
assert isinstance(chats, ChatPage)
chat = chats.results[0].id
start = start_sync.sync(client=client)
assert isinstance(start, SyncStart)

sent = send_message.sync(chat, client=client, body=NewMessage("Typed by openapi-python-client", client_id=str(uuid4())))
assert isinstance(sent, Message)
read = get_message.sync(sent.id, client=client)
assert isinstance(read, Message) and read.content == sent.content and read.sender.id == me.id
reacted = toggle_reaction.sync(sent.id, client=client, body=NewReaction("👍"))
assert isinstance(reacted, ReactionResult) and reacted.action == "added"

known = SyncRequestChats.from_dict(start.heads.to_dict())
synced = sync.sync(client=client, body=SyncRequest(known))
assert isinstance(synced, SyncResult)
assert any(isinstance(event, NewMessageEvent) and event.message.id == sent.id for event in synced.events)

own = get_user.sync(me.id, client=client)
assert isinstance(own, OwnUser) and own.email == me.email, "it is not lost that one's own user has more fields"
found = list_messages.sync(chat, client=client, search="openapi-python-client")
assert isinstance(found, FoundMessagePage) and found.results[0].highlights
assert get_message.sync_detailed(999_999, client=client).status_code == 404
