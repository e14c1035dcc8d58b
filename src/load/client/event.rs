//! Server frames, parsed as far as the load generator needs them: of most frames only the first bytes.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A frame that the server sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ServerEvent {
    /// `new_message`, with the number at the beginning of its content.
    Message { chat: i64, seq: i64, message: i64, number: Option<u32> },
    /// Another durable change of a chat.
    Change { chat: i64, seq: i64 },
    /// The first frame: the newest `seq` of each chat.
    Hello { chats: Vec<(i64, i64)> },
    /// A command succeeded.
    Ack { id: Option<u64>, message: Option<i64> },
    /// A command was rejected.
    Error { id: Option<u64>, status: u16 },
    /// A request to reload a chat: its missed events are not delivered.
    Resync { chat: i64, seq: i64 },
    /// An ephemeral event, such as `typing`.
    Ephemeral,
    /// A frame that is not JSON, or has no `type`.
    Unknown,
}

/// Parses a frame. Scans only the beginning if the fields have the order in which this server writes them.
/// Falls back to parsing the JSON for any other order.
pub(crate) fn read(frame: &[u8]) -> ServerEvent {
    scan_message(frame).or_else(|| scan_ack(frame)).unwrap_or_else(|| parse_json(frame))
}

fn scan_message(frame: &[u8]) -> Option<ServerEvent> {
    let mut scan = Scan(frame);
    scan.literal(br#"{"type":"new_message","chat_id":"#)?;
    let chat = scan.integer()?;
    scan.literal(br#","seq":"#)?;
    let seq = scan.integer()?;
    scan.literal(br#","message":{"id":"#)?;
    let message = scan.integer()?;
    scan.literal(br#","chat":"#)?;
    scan.integer()?;
    scan.literal(br#","content":""#)?;
    let number = scan.integer().and_then(|number| u32::try_from(number).ok());
    Some(ServerEvent::Message { chat, seq, message, number })
}

fn scan_ack(frame: &[u8]) -> Option<ServerEvent> {
    let mut scan = Scan(frame);
    scan.literal(br#"{"type":"ack","id":"#)?;
    let id = u64::try_from(scan.integer()?).ok();
    scan.literal(br#","message":{"id":"#)?;
    Some(ServerEvent::Ack { id, message: Some(scan.integer()?) })
}

/// A cursor over bytes that matches literals and integers.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn literal(&mut self, wanted: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }

    fn integer(&mut self) -> Option<i64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || digits > 18 {
            return None;
        }
        let value = self.0[..digits].iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        self.0 = &self.0[digits..];
        Some(value)
    }
}

/// The fields of a frame that the load generator needs, in any order.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "type", default)]
    kind: String,
    id: Option<serde_json::Value>,
    chat_id: Option<i64>,
    seq: Option<i64>,
    status: Option<u16>,
    message: Option<Message>,
    chats: Option<BTreeMap<String, i64>>,
}

/// The fields of a message that the load generator needs.
#[derive(Deserialize)]
struct Message {
    id: i64,
    #[serde(default)]
    content: String,
}

fn parse_json(frame: &[u8]) -> ServerEvent {
    let Ok(fields) = serde_json::from_slice::<Fields>(frame) else { return ServerEvent::Unknown };
    let id = fields.id.as_ref().and_then(serde_json::Value::as_u64);
    match (&*fields.kind, fields.chat_id, fields.seq, fields.message) {
        ("new_message", Some(chat), Some(seq), Some(message)) => {
            ServerEvent::Message { chat, seq, message: message.id, number: number(&message.content) }
        }
        ("ack", _, _, message) => ServerEvent::Ack { id, message: message.map(|message| message.id) },
        ("error", ..) => ServerEvent::Error { id, status: fields.status.unwrap_or(0) },
        ("hello", ..) => {
            let chats = fields.chats.unwrap_or_default();
            let head = |(chat, seq): (String, i64)| Some((chat.parse().ok()?, seq));
            ServerEvent::Hello { chats: chats.into_iter().filter_map(head).collect() }
        }
        ("resync", Some(chat), Some(seq), _) => ServerEvent::Resync { chat, seq },
        ("", ..) => ServerEvent::Unknown,
        (_, Some(chat), Some(seq), _) => ServerEvent::Change { chat, seq },
        _ => ServerEvent::Ephemeral,
    }
}

/// Returns the id of a message from a REST response.
pub(crate) fn message_id(body: &[u8]) -> Option<i64> {
    let mut scan = Scan(body);
    match scan.literal(br#"{"id":"#) {
        Some(()) => scan.integer(),
        None => serde_json::from_slice::<Message>(body).ok().map(|message| message.id),
    }
}

/// Parses the number at the beginning of a message's content.
pub(crate) fn number(content: &str) -> Option<u32> {
    Scan(content.as_bytes()).integer().and_then(|number| u32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_the_same_in_any_order_of_its_fields() {
        let event = ServerEvent::Message { chat: 7, seq: 12, message: 90, number: Some(41) };
        let quick =
            br#"{"type":"new_message","chat_id":7,"seq":12,"message":{"id":90,"chat":7,"content":"41 x"}}"#;
        assert_eq!(scan_message(quick).as_ref(), Some(&event));
        assert_eq!(read(quick), event);
        let other = br#"{"seq":12, "message":{"content":"41 x","id":90},"chat_id":7,"type":"new_message"}"#;
        assert_eq!(scan_message(other), None);
        assert_eq!(read(other), event);
        let not_ours =
            br#"{"type":"new_message","chat_id":7,"seq":12,"message":{"id":90,"chat":7,"content":"Hi"}}"#;
        assert_eq!(read(not_ours), ServerEvent::Message { chat: 7, seq: 12, message: 90, number: None });
    }

    #[test]
    fn other_frames_are_distinguished() {
        let cases: [(&str, ServerEvent); 8] = [
            (
                r#"{"type":"ack","id":3,"message":{"id":5,"chat":1}}"#,
                ServerEvent::Ack { id: Some(3), message: Some(5) },
            ),
            (r#"{"type":"ack","id":4,"marked_count":1}"#, ServerEvent::Ack { id: Some(4), message: None }),
            (r#"{"type":"error","id":2,"status":404}"#, ServerEvent::Error { id: Some(2), status: 404 }),
            (r#"{"type":"hello","user_id":1,"chats":{"7":3}}"#, ServerEvent::Hello { chats: vec![(7, 3)] }),
            (r#"{"type":"read","chat_id":7,"seq":4,"user_id":1}"#, ServerEvent::Change { chat: 7, seq: 4 }),
            (r#"{"type":"typing","chat_id":7,"user_id":1}"#, ServerEvent::Ephemeral),
            (r#"{"type":"resync","chat_id":7,"seq":4}"#, ServerEvent::Resync { chat: 7, seq: 4 }),
            ("nonsense", ServerEvent::Unknown),
        ];
        for (frame, event) in cases {
            assert_eq!(read(frame.as_bytes()), event, "{frame}");
        }
    }
}
