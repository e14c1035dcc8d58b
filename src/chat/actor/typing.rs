//! Who types: members do, and whoever is not known to be one is looked up.

use std::time::Duration;

use actix::{AsyncContext, Context};

use super::{Accept, ChatActor};
use crate::{
    bus::News,
    chat::{
        mailbox::{Answered, LookedUp, Type, Typed, TypingRanOut},
        typing::Said,
    },
    core::model::{Refusal, UserId},
    hub::frame_batch::Standing,
    storage::tables::members,
    view::frames,
};

/// Somebody who says nothing more of typing has stopped after so long.
const TYPING_LASTS: Duration = Duration::from_secs(6);

impl Accept<Type> for ChatActor {
    /// Members type; who is not known to be one is looked up.
    fn accept(&mut self, typing: Type, ctx: &mut Context<Self>) {
        let user = typing.user;
        match self.typists.say(typing) {
            Said::ByMember(typing) => self.take_note(typing, ctx),
            Said::LookUp(turn) => self.look_up(user, turn),
            Said::Waits => {}
        }
    }
}

impl Accept<LookedUp> for ChatActor {
    fn accept(&mut self, LookedUp { user, turn, is_member }: LookedUp, ctx: &mut Context<Self>) {
        let said = self.typists.looked_up(user, turn, is_member == Ok(true));
        for typing in said {
            match &is_member {
                Ok(true) => self.take_note(typing, ctx),
                Ok(false) => typing.reply.send(Err(Refusal::NotFound)),
                Err(refusal) => typing.reply.send(Err(refusal.clone())),
            }
        }
    }
}

impl Accept<TypingRanOut> for ChatActor {
    fn accept(&mut self, TypingRanOut { user, turn }: TypingRanOut, ctx: &mut Context<Self>) {
        if self.typists.is_latest(user, turn) {
            self.note_typing(user, false, ctx);
        }
    }
}

impl Accept<Typed> for ChatActor {
    const IS_USE: bool = false;

    /// Somebody types on another node, which knows that they are a member.
    fn accept(&mut self, Typed { user, is_typing }: Typed, ctx: &mut Context<Self>) {
        self.note_typing(user, is_typing, ctx);
    }
}

impl ChatActor {
    fn look_up(&self, user: UserId, turn: u64) {
        let (directory, readers, chat) = (self.directory.clone(), self.services.readers.clone(), self.chat);
        actix_rt::spawn(async move {
            let is_member = readers.ask_one(move |conn| members::is_in(conn, chat, user)).await;
            directory.send(chat, LookedUp { user, turn, is_member }.into());
        });
    }

    fn take_note(&mut self, typing: Type, ctx: &mut Context<Self>) {
        let (chat, user, is_typing) = (self.chat, typing.user, typing.is_typing);
        self.note_typing(user, is_typing, ctx);
        self.services.bus.publish(News::Typing { chat, user, is_typing });
        typing.reply.send(Ok(Answered::Done));
    }

    fn note_typing(&mut self, user: UserId, is_typing: bool, ctx: &mut Context<Self>) {
        let was_typing = self.typists.stop(user);
        if is_typing {
            let turn = self.typists.start(user);
            ctx.run_later(TYPING_LASTS, move |actor, _| {
                actor.directory.clone().send(actor.chat, TypingRanOut { user, turn }.into());
            });
        }
        if is_typing || was_typing {
            if let Some(meter) = &self.services.meter {
                meter.typed();
            }
            let frame = frames::typing(self.chat, user, is_typing);
            self.deliver(None, Standing::Same, &frame, |socket| socket.user != user);
        }
    }
}
