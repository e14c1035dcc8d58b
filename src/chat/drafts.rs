//! Delivery of drafts to the connections of their writers.

use super::context::Services;
use crate::{
    core::model::DraftChanged,
    hub::{FrameBatch, frame_batch::SubscriptionChange},
    view::frames,
};

/// Delivers a change of a draft to its writer's connections on this node. Each one filters by its chats.
pub(super) fn deliver(services: &Services, changed: &DraftChanged) {
    let frame = frames::draft_changed(changed);
    let batch = FrameBatch::of(Some(changed.chat), None, SubscriptionChange::Same, &frame);
    services.hub.sockets_of(changed.user).iter().for_each(|socket| socket.deliver(&batch));
}
