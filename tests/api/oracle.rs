//! The oracle of the feed, without faults.

use crate::support::{Server, oracle};

#[actix_rt::test(system = "crate::System")]
async fn observers_who_break_off_and_resume_know_what_a_fresh_look_tells() {
    for seed in oracle::seeds(3) {
        let server = Server::start_with(|config| config.socket_commands_per_second = 10_000).await;
        oracle::walk(&server, seed, async |_| {}).await;
    }
}
