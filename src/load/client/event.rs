//! What a socket hears, as far as the load generator looks: of most frames only the first bytes.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A frame of the server's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// `new_message`, with the number that its content begins with.
    Message { chat: i64, seq: i64, message: i64, number: Option<u32> },
    /// Another lasting change of a chat.
    Change { chat: i64, seq: i64 },
    /// How far each chat has come.
    Hello { chats: Vec<(i64, i64)> },
    /// A command was carried out.
    Ack { id: Option<u64>, message: Option<i64> },
    /// A command was refused.
    Error { id: Option<u64>, status: u16 },
    /// A chat is to be loaded again.
    Resync { chat: i64, seq: i64 },
    /// What does not last.
    Fleeting,
    /// It is none of these, or not JSON.
    Unknown,
}

/// Reads a frame. What comes as this server writes it is read at its beginning only; any other order of the fields does
/// as well.
pub(crate) fn read(frame: &[u8]) -> Heard {
    message(frame).or_else(|| ack(frame)).unwrap_or_else(|| whole(frame))
}

fn message(frame: &[u8]) -> Option<Heard> {
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
    Some(Heard::Message { chat, seq, message, number })
}

fn ack(frame: &[u8]) -> Option<Heard> {
    let mut scan = Scan(frame);
    scan.literal(br#"{"type":"ack","id":"#)?;
    let id = u64::try_from(scan.integer()?).ok();
    scan.literal(br#","message":{"id":"#)?;
    Some(Heard::Ack { id, message: Some(scan.integer()?) })
}

/// Goes through bytes that are known in part.
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

/// The fields of a frame that count, wherever they are.
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

/// The fields of a message that count.
#[derive(Deserialize)]
struct Message {
    id: i64,
    #[serde(default)]
    content: String,
}

fn whole(frame: &[u8]) -> Heard {
    let Ok(fields) = serde_json::from_slice::<Fields>(frame) else { return Heard::Unknown };
    let id = fields.id.as_ref().and_then(serde_json::Value::as_u64);
    match (&*fields.kind, fields.chat_id, fields.seq, fields.message) {
        ("new_message", Some(chat), Some(seq), Some(message)) => {
            Heard::Message { chat, seq, message: message.id, number: number(&message.content) }
        }
        ("ack", _, _, message) => Heard::Ack { id, message: message.map(|message| message.id) },
        ("error", ..) => Heard::Error { id, status: fields.status.unwrap_or(0) },
        ("hello", ..) => {
            let chats = fields.chats.unwrap_or_default();
            let head = |(chat, seq): (String, i64)| Some((chat.parse().ok()?, seq));
            Heard::Hello { chats: chats.into_iter().filter_map(head).collect() }
        }
        ("resync", Some(chat), Some(seq), _) => Heard::Resync { chat, seq },
        ("", ..) => Heard::Unknown,
        (_, Some(chat), Some(seq), _) => Heard::Change { chat, seq },
        _ => Heard::Fleeting,
    }
}

/// The id of a message as REST answers with it.
pub(crate) fn message_id(body: &[u8]) -> Option<i64> {
    let mut scan = Scan(body);
    match scan.literal(br#"{"id":"#) {
        Some(()) => scan.integer(),
        None => serde_json::from_slice::<Message>(body).ok().map(|message| message.id),
    }
}

/// The number that a message's content begins with.
pub(crate) fn number(content: &str) -> Option<u32> {
    Scan(content.as_bytes()).integer().and_then(|number| u32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_the_same_in_any_order_of_its_fields() {
        let heard = Heard::Message { chat: 7, seq: 12, message: 90, number: Some(41) };
        let quick =
            br#"{"type":"new_message","chat_id":7,"seq":12,"message":{"id":90,"chat":7,"content":"41 x"}}"#;
        assert_eq!(message(quick).as_ref(), Some(&heard));
        assert_eq!(read(quick), heard);
        let other = br#"{"seq":12, "message":{"content":"41 x","id":90},"chat_id":7,"type":"new_message"}"#;
        assert_eq!(message(other), None);
        assert_eq!(read(other), heard);
        let not_ours =
            br#"{"type":"new_message","chat_id":7,"seq":12,"message":{"id":90,"chat":7,"content":"Hi"}}"#;
        assert_eq!(read(not_ours), Heard::Message { chat: 7, seq: 12, message: 90, number: None });
    }

    #[test]
    fn other_frames_are_told_apart() {
        let cases: [(&str, Heard); 8] = [
            (
                r#"{"type":"ack","id":3,"message":{"id":5,"chat":1}}"#,
                Heard::Ack { id: Some(3), message: Some(5) },
            ),
            (r#"{"type":"ack","id":4,"marked_count":1}"#, Heard::Ack { id: Some(4), message: None }),
            (r#"{"type":"error","id":2,"status":404}"#, Heard::Error { id: Some(2), status: 404 }),
            (r#"{"type":"hello","user_id":1,"chats":{"7":3}}"#, Heard::Hello { chats: vec![(7, 3)] }),
            (r#"{"type":"read","chat_id":7,"seq":4,"user_id":1}"#, Heard::Change { chat: 7, seq: 4 }),
            (r#"{"type":"typing","chat_id":7,"user_id":1}"#, Heard::Fleeting),
            (r#"{"type":"resync","chat_id":7,"seq":4}"#, Heard::Resync { chat: 7, seq: 4 }),
            ("nonsense", Heard::Unknown),
        ];
        for (frame, heard) in cases {
            assert_eq!(read(frame.as_bytes()), heard, "{frame}");
        }
    }
}
