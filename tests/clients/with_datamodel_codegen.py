import os
from uuid import uuid4

import httpx

from models import (
    ChatPage,
    ErrorDetail,
    FoundMessagePage,
    Message,
    NewMessage,
    NewMessageEvent,
    NewReaction,
    OwnUser,
    ReactionAction,
    ReactionResult,
    SignIn,
    SyncRequest,
    SyncResult,
    SyncStart,
)

http = httpx.Client(base_url=os.environ["GREENROOM_URL"])
API = "/messages/api"

me = OwnUser.model_validate_json(
    http.post("/login/", json=SignIn(username="alice", password="greenroom").model_dump()).content
)
chat = ChatPage.model_validate_json(http.get(f"{API}/chats/").content).results[0].id
start = SyncStart.model_validate_json(http.get(f"{API}/sync/").content)

new = NewMessage(content="Typed by datamodel-code-generator", client_id=str(uuid4()))
sent = Message.model_validate_json(http.post(f"{API}/chats/{chat}/messages/", json=new.model_dump()).content)
read = Message.model_validate_json(http.get(f"{API}/messages/{sent.id}/").content)
assert read.content == new.content and read.sender.id == me.id
reaction = http.post(f"{API}/messages/{sent.id}/reactions/", json=NewReaction(emoji="👍").model_dump())
assert ReactionResult.model_validate_json(reaction.content).action is ReactionAction.added

known = SyncRequest(chats=start.heads)
synced = SyncResult.model_validate_json(http.post(f"{API}/sync/", json=known.model_dump()).content)
news = [event.root for event in synced.events]
assert any(isinstance(event, NewMessageEvent) and event.message.id == sent.id for event in news)

found = http.get(f"{API}/chats/{chat}/messages/", params={"search": "datamodel"})
assert FoundMessagePage.model_validate_json(found.content).results[0].highlights
assert ErrorDetail.model_validate_json(http.get(f"{API}/messages/999999/").content).detail
