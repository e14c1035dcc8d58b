//! Typing indicators. Only members may type; unknown users are looked up first.

use std::time::Duration;

use actix::{AsyncContext, Context};

use super::ChatActor;
use crate::{
    bus::BusMessage,
    chat::{
        mailbox::{Answered, LookedUp, RemoteTyping, Type, TypingSignal, TypingTimeout},
        typing::TypingDecision,
    },
    core::model::{Refusal, UserId},
    hub::{Subscriber, frame_batch::SubscriptionChange},
    storage::tables::members,
    view::frames,
};

/// Typing timeout: a user without a further signal for this long has stopped typing.
const TYPING_TIMEOUT: Duration = Duration::from_secs(6);

impl ChatActor {
    /// Applies a member's signal. Looks up users not known as members.
    pub(super) fn on_type(&mut self, typing: Type, ctx: &mut Context<Self>) {
        let user = typing.signal.user;
        match self.typing_users.say(typing) {
            TypingDecision::ByMember(typing) => self.apply_and_answer(typing, ctx),
            TypingDecision::LookUp(turn) => self.look_up(user, turn),
            TypingDecision::Waits => {}
        }
    }

    pub(super) fn on_looked_up(
        &mut self,
        LookedUp { user, turn, is_member }: LookedUp,
        ctx: &mut Context<Self>,
    ) {
        let signals = self.typing_users.looked_up(user, turn, is_member == Ok(true));
        for typing in signals {
            match &is_member {
                Ok(true) => self.apply_and_answer(typing, ctx),
                Ok(false) => typing.reply.send(Err(Refusal::NotFound)),
                Err(refusal) => typing.reply.send(Err(refusal.clone())),
            }
        }
    }

    pub(super) fn on_typing_timeout(
        &mut self,
        TypingTimeout { user, thread, turn }: TypingTimeout,
        ctx: &mut Context<Self>,
    ) {
        if self.typing_users.is_latest(user, thread, turn) {
            self.set_typing(TypingSignal { user, thread, is_typing: false }, ctx);
        }
    }

    /// Applies a typing signal from another node, which has checked the membership.
    pub(super) fn on_remote_typing(&mut self, RemoteTyping(signal): RemoteTyping, ctx: &mut Context<Self>) {
        self.set_typing(signal, ctx);
    }

    fn look_up(&self, user: UserId, turn: u64) {
        let (directory, readers, chat) = (self.directory.clone(), self.services.readers.clone(), self.chat);
        actix_rt::spawn(async move {
            let is_member = readers.query_one(move |conn| members::is_in(conn, chat, user)).await;
            directory.send(chat, LookedUp { user, turn, is_member }.into());
        });
    }

    fn apply_and_answer(&mut self, typing: Type, ctx: &mut Context<Self>) {
        let (chat, TypingSignal { user, thread, is_typing }) = (self.chat, typing.signal);
        self.set_typing(typing.signal, ctx);
        self.services.bus.publish(BusMessage::Typing { chat, user, is_typing, thread });
        typing.reply.send(Ok(Answered::Done));
    }

    /// Delivers who types in the timeline to all members, and who types in a thread to those who show it.
    fn set_typing(
        &mut self,
        TypingSignal { user, thread, is_typing }: TypingSignal,
        ctx: &mut Context<Self>,
    ) {
        let was_typing = self.typing_users.stop(user, thread);
        if is_typing {
            let turn = self.typing_users.start(user, thread);
            ctx.run_later(TYPING_TIMEOUT, move |actor, _| {
                actor.directory.clone().send(actor.chat, TypingTimeout { user, thread, turn }.into());
            });
        }
        if is_typing || was_typing {
            if let Some(meter) = &self.services.meter {
                meter.typed();
            }
            let frame = frames::typing(self.chat, user, thread, is_typing);
            let is_shown = |socket: &Subscriber| thread.is_none_or(|root| socket.has_open(root));
            self.deliver(None, SubscriptionChange::Same, &frame, |socket| {
                socket.user != user && is_shown(socket)
            });
        }
    }
}
