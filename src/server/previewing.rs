//! Previews of links: fetched after a message is sent, and shown with it.

use std::{panic::AssertUnwindSafe, rc::Rc, sync::Arc};

use actix_web::web::Data;
use futures_util::{FutureExt, future::join_all};
use tokio::sync::mpsc;

use crate::{
    config::Config,
    core::model::{Command, PictureHost, Pictures, command::Action},
    outbound::Reach,
    pictures::PictureProxy,
    previews::{PageFetcher, Waiting, Wanted},
    state::AppState,
    view::Links,
};

fn reach(config: &Config) -> Reach {
    Reach { allowed: config.preview_allow.clone(), web_ports_only: true }
}

/// Creates the proxy of the pictures of pages, and the future of its task.
pub(super) fn pictures(config: &Config, links: &Links) -> (PictureProxy, impl Future<Output = ()> + use<>) {
    let pictures = Pictures { own: links.public_url.clone(), hosts: vec![PictureHost::Any], any_port: true };
    PictureProxy::new(Arc::new(pictures), reach(config), None)
}

/// Fetches the previews of messages for as long as the server runs.
pub(super) async fn preview(state: Data<AppState>, mut wanted: mpsc::Receiver<Wanted>) {
    let fetcher = Rc::new(PageFetcher::new(reach(&state.config), &state.links.public_url));
    let (done, mut ended) = mpsc::unbounded_channel();
    let mut waiting = Waiting::default();
    loop {
        tokio::select! {
            Some(message) = wanted.recv() => waiting.add(message),
            Some(user) = ended.recv() => waiting.end(user),
            else => return,
        }
        while let Some(message) = waiting.begin() {
            let (state, fetcher, done) = (state.clone(), fetcher.clone(), done.clone());
            actix_rt::spawn(async move {
                let user = message.by;
                // A page that the parser fails on must not keep its place.
                let shown = AssertUnwindSafe(show_previews(&state, &fetcher, message)).catch_unwind();
                if shown.await.is_err() {
                    tracing::error!("fetching previews panicked; the message stays without");
                }
                let _ = done.send(user);
            });
        }
    }
}

async fn show_previews(state: &AppState, fetcher: &PageFetcher, wanted: Wanted) {
    let Wanted { chat, message, by, links } = wanted;
    let found = join_all(links.iter().map(|link| fetcher.preview(link))).await;
    let found: Vec<_> = found.into_iter().flatten().collect();
    if found.is_empty() {
        return;
    }
    let command = Command { chat, by, action: Action::ShowPreviews { message, found } };
    // The message may be deleted by now. Under load it stays without previews.
    let _ = state.directory.command(command).await;
}
