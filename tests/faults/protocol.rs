//! RFC 6455 case by case, in the order of Autobahn's suite, which `autobahn` runs if it is installed. Here
//! every case is sent at once and, if it is short, also octet by octet.

use tokio::io::AsyncWriteExt;

use crate::{
    echo::Echo,
    support::raw_socket::{BINARY, CLOSE, FIN, PING, PONG, RawSocket, TEXT, declaring, frame},
};

const CONTINUED: u8 = 0x0;
const MAX_MESSAGE: usize = 65_536;

/// Bytes that a client sends, the expected frames, and the expected close code.
struct Case {
    name: String,
    sent: Vec<u8>,
    answers: Vec<(u8, Vec<u8>)>,
    code: u16,
}

fn case(name: impl Into<String>, frames: impl IntoIterator<Item = Vec<u8>>) -> Case {
    let sent = frames.into_iter().collect::<Vec<_>>().concat();
    Case { name: name.into(), sent, answers: Vec::new(), code: 1000 }
}

impl Case {
    /// Expects this frame from the server.
    fn answered(mut self, opcode: u8, payload: &[u8]) -> Self {
        self.answers.push((opcode, payload.to_owned()));
        self
    }

    fn echoed(self, text: &str) -> Self {
        self.answered(TEXT, text.as_bytes())
    }

    /// Expects the server to close with this code.
    fn fails(mut self, code: u16) -> Self {
        self.code = code;
        self
    }

    /// Ends the case with the client's close frame.
    fn ends(mut self) -> Self {
        self.sent.extend(frame(FIN | CLOSE, &1000_u16.to_be_bytes()));
        self
    }

    async fn run(&self, echo: &Echo, octets: usize) {
        println!("{}, {octets} octets at a time", self.name);
        let mut socket = RawSocket::connect(echo.address, "", 65_536).await;
        for part in self.sent.chunks(octets) {
            // The server may close the connection before everything is sent.
            let _ = socket.0.write_all(part).await;
        }
        for answer in &self.answers {
            assert_eq!(socket.receives().await, *answer, "{}", self.name);
        }
        let (opcode, payload) = socket.receives().await;
        assert_eq!((opcode, payload.get(..2)), (CLOSE, Some(&self.code.to_be_bytes()[..])), "{}", self.name);
        if self.code != 1000 {
            let _ = socket.0.write_all(&frame(FIN | CLOSE, &payload)).await;
        }
        socket.receives_no_more().await;
    }
}

/// Runs each case at once and, if it is not too long, octet by octet.
async fn run(cases: impl IntoIterator<Item = Case>) {
    let echo = Echo::start();
    let mut runs = 0;
    for case in cases {
        case.run(&echo, case.sent.len()).await;
        runs += 1;
        if case.sent.len() < 1_000 {
            case.run(&echo, 1).await;
            runs += 1;
        }
    }
    println!("{runs} runs passed");
}

fn text(text: &str) -> Vec<u8> {
    frame(FIN | TEXT, text.as_bytes())
}

/// Splits a message into fragments of `octets` bytes.
fn in_fragments(message: &[u8], octets: usize) -> Vec<Vec<u8>> {
    let count = message.len().div_ceil(octets);
    let first = |number| if number == 0 { TEXT } else { CONTINUED };
    let fin = |number| if number + 1 == count { FIN } else { 0 };
    message
        .chunks(octets)
        .enumerate()
        .map(|(number, part)| frame(first(number) | fin(number), part))
        .collect()
}

#[actix_rt::test(system = "crate::System")]
async fn messages_of_every_form_of_length() {
    let sizes = [0, 125, 126, 127, 128, 65_535, 65_536];
    let texts = sizes.map(|size| {
        let message = "*".repeat(size);
        case(format!("text of {size}"), [text(&message)]).echoed(&message).ends()
    });
    let binaries = sizes
        .map(|size| case(format!("binary of {size}"), [frame(FIN | BINARY, &vec![0xfe; size])]).fails(1003));
    run(texts.into_iter().chain(binaries)).await;
}

#[actix_rt::test(system = "crate::System")]
async fn pings_and_pongs() {
    let bytes = &[0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff];
    let ping = |payload: &[u8]| frame(FIN | PING, payload);
    let pong = |payload: &[u8]| frame(FIN | PONG, payload);
    let payloads = [b"".as_slice(), b"Hello, world!", bytes, &[0xfe; 125]];
    let pings = payloads.map(|payload| {
        case(format!("ping of {}", payload.len()), [ping(payload)]).answered(PONG, payload).ends()
    });
    let ten = (0..10).fold(case("ten pings", (0..10).map(|number| ping(&[number]))), |case, number| {
        case.answered(PONG, &[number])
    });
    let others = [
        case("ping of 126", [ping(&[0xfe; 126])]).fails(1002),
        case("pong unasked", [pong(b"")]).ends(),
        case("pong unasked with a payload", [pong(b"unasked")]).ends(),
        case("pong, ping, pong", [pong(b"1"), ping(b"2"), pong(b"3")]).answered(PONG, b"2").ends(),
        ten.ends(),
    ];
    run(pings.into_iter().chain(others)).await;
}

#[actix_rt::test(system = "crate::System")]
async fn reserved_bits_and_opcodes_are_broken_frames() {
    let bits = (1..8).map(|bits| {
        let reserved = frame(FIN | bits << 4 | TEXT, b"reserved");
        case(format!("reserved bits {bits}"), [text("before"), reserved]).echoed("before").fails(1002)
    });
    let controls = [PING, PONG, CLOSE].map(|opcode| {
        case(format!("a reserved bit on {opcode}"), [frame(FIN | 0x40 | opcode, b"")]).fails(1002)
    });
    let opcodes = (3..=7).chain(0xB..=0xF).flat_map(|opcode| {
        let name = format!("opcode {opcode}");
        let broken = frame(FIN | opcode, b"reserved");
        [
            case(name.clone(), [frame(FIN | opcode, b"")]).fails(1002),
            case(name, [text("before"), broken, text("after")]).echoed("before").fails(1002),
        ]
    });
    run(bits.chain(controls).chain(opcodes)).await;
}

#[actix_rt::test(system = "crate::System")]
async fn fragments() {
    let (first, more, last) = (frame(TEXT, b"one "), frame(CONTINUED, b"two "), frame(FIN, b"three"));
    let (ping, pong) = (frame(FIN | PING, b"?"), frame(FIN | PONG, b""));
    let all = || [first.clone(), more.clone(), last.clone()];
    run([
        case("a ping in fragments", [frame(PING, b"a"), frame(FIN, b"b")]).fails(1002),
        case("a pong in fragments", [frame(PONG, b"a"), frame(FIN, b"b")]).fails(1002),
        case("a close in fragments", [frame(CLOSE, b""), frame(FIN, b"")]).fails(1002),
        case("three fragments", all()).echoed("one two three").ends(),
        case("twice", all().into_iter().chain(all())).echoed("one two three").echoed("one two three").ends(),
        case("empty fragments", [frame(TEXT, b""), frame(CONTINUED, b""), frame(FIN, b"")]).echoed("").ends(),
        case("control frames in between", [first.clone(), ping.clone(), more.clone(), pong, last.clone()])
            .answered(PONG, b"?")
            .echoed("one two three")
            .ends(),
        case("a continuation of nothing, the last", [last.clone()]).fails(1002),
        case("a continuation of nothing", [more.clone(), text("new")]).fails(1002),
        case("a continuation after the end", all().into_iter().chain([last.clone()]))
            .echoed("one two three")
            .fails(1002),
        case("a new message in the middle", [first.clone(), text("new")]).fails(1002),
        case("new fragments in the middle", [first.clone(), first.clone()]).fails(1002),
        case("a ping in the middle of a binary one", [frame(BINARY, b"one"), ping]).fails(1003),
        case("a goodbye in the middle", [first]).ends(),
    ])
    .await;
}

/// Texts at the limits of UTF-8.
const VALID: [&str; 16] = [
    "Hello-µ@ßöäüàá-UTF-8!!",
    "κόσμε",
    "\u{0}",
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{10000}",
    "\u{1fffe}",
    "\u{10ffff}",
    "한글 テスト 🦀👩‍👩‍👧",
];

/// Invalid UTF-8.
const INVALID: [&[u8]; 27] = [
    b"\xf4\x90\x80\x80",                                 // above the last character
    b"\xf7\xbf\xbf\xbf",                                 // far above it
    b"\xf8\x88\x80\x80\x80",                             // five octets
    b"\xfb\xbf\xbf\xbf\xbf",                             // five octets, the last
    b"\xfc\x84\x80\x80\x80\x80",                         // six octets
    b"\xfd\xbf\xbf\xbf\xbf\xbf",                         // six octets, the last
    b"\x80",                                             // a continuation alone
    b"\xbf\x80\xbf",                                     // continuations alone
    b"\xc0 \xc1 \xdf ",                                  // first octets of two, alone
    b"\xe0 \xef ",                                       // of three
    b"\xf0 \xf4 ",                                       // of four
    b"\xc2",                                             // ends too early
    b"\xe1\x80",                                         // ends too early
    b"\xf1\x80\x80",                                     // ends too early
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce",         // words that end too early
    b"\xfe",                                             // never
    b"\xff",                                             // never
    b"\xc0\xaf",                                         // a slash in two octets
    b"\xe0\x80\xaf",                                     // in three
    b"\xf0\x80\x80\xaf",                                 // in four
    b"\xc1\xbf",                                         // the longest in two that belongs in one
    b"\xe0\x9f\xbf",                                     // in three that belongs in two
    b"\xc0\x80",                                         // a zero in two
    b"\xed\xa0\x80",                                     // the first surrogate
    b"\xed\xbf\xbf",                                     // the last surrogate
    b"\xed\xa0\x80\xed\xb0\x80",                         // a pair of surrogates
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80\x65\x64", // words with a surrogate in them
];

#[actix_rt::test(system = "crate::System")]
async fn text_is_utf_8_however_it_is_cut() {
    let valid = VALID.into_iter().flat_map(|text| {
        let whole = case(format!("{text:?}"), [frame(FIN | TEXT, text.as_bytes())]).echoed(text).ends();
        let cut = case(format!("{text:?} in octets"), in_fragments(text.as_bytes(), 1)).echoed(text).ends();
        [whole, cut]
    });
    let invalid = INVALID.into_iter().flat_map(|bytes| {
        let name = format!("{bytes:02x?}");
        let whole =
            case(name.clone(), [text("before"), frame(FIN | TEXT, bytes)]).echoed("before").fails(1007);
        let cut = case(format!("{name} in octets"), in_fragments(bytes, 1)).fails(1007);
        [whole, cut]
    });
    run(valid.chain(invalid)).await;
}

#[actix_rt::test(system = "crate::System")]
async fn goodbyes() {
    let close = |payload: &[u8]| frame(FIN | CLOSE, payload);
    let coded = |code: u16, reason: &[u8]| close(&[&code.to_be_bytes(), reason].concat());
    let valid =
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
    let invalid = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    let valid = valid.map(|code| case(format!("code {code}"), [coded(code, b"")]).fails(code));
    let invalid = invalid.map(|code| case(format!("code {code}"), [coded(code, b"")]).fails(1002));
    let others = [
        case("one octet", [close(&[3])]).fails(1002),
        case("a reason", [coded(1000, b"Hello!")]),
        case("the longest reason", [coded(1000, &[b'*'; 123])]),
        case("a reason that is too long", [coded(1000, &[b'*'; 124])]).fails(1002),
        case("a reason that is not UTF-8", [coded(1000, b"\xce\xba\xed\xa0\x80")]).fails(1002),
        case("a message afterwards", [text("before")]).echoed("before").ends(),
        case("two", [coded(1000, b""), coded(1000, b"")]),
        case("a message after it", [coded(1000, b""), text("after")]),
        case("a ping after it", [coded(1000, b""), frame(FIN | PING, b"after")]),
    ];
    run(valid.into_iter().chain(invalid).chain(others)).await;
}

#[actix_rt::test(system = "crate::System")]
async fn a_goodbye_without_a_code_is_returned_as_it_came() {
    let echo = Echo::start();
    let mut socket = RawSocket::connect(echo.address, "", 65_536).await;
    socket.sends(FIN | CLOSE, b"").await;
    assert_eq!(socket.receives().await, (CLOSE, Vec::new()));
    socket.receives_no_more().await;
}

#[actix_rt::test(system = "crate::System")]
async fn messages_up_to_the_limit_and_above_it() {
    let whole = "*".repeat(MAX_MESSAGE);
    let sizes = [64, 256, 1_024, 1_300, 4_096, 16_384, 65_536];
    let taken = sizes.map(|octets| {
        let fragments = in_fragments(whole.as_bytes(), octets);
        case(format!("the limit in fragments of {octets}"), fragments).echoed(&whole).ends()
    });
    let too_large = sizes.map(|octets| {
        let fragments = in_fragments(&vec![b'*'; MAX_MESSAGE + 1], octets);
        case(format!("one more in fragments of {octets}"), fragments).fails(1009)
    });
    let others = [
        case("one more", [frame(FIN | TEXT, &vec![b'*'; MAX_MESSAGE + 1])]).fails(1009),
        case("more, to come", [text("before"), declaring(FIN | TEXT, 1 << 40, b"**")])
            .echoed("before")
            .fails(1009),
        case("four megabytes", [frame(FIN | TEXT, &vec![b'*'; 4 << 20])]).fails(1009),
    ];
    run(taken.into_iter().chain(too_large).chain(others)).await;
}

/// Thirty closing handshakes take less time than if each waited for a timer.
#[actix_rt::test(system = "crate::System")]
async fn the_server_hangs_up_as_soon_as_both_have_said_goodbye() {
    let echo = Echo::start();
    let goodbyes = async {
        for code in [1000_u16; 30] {
            let mut socket = RawSocket::connect(echo.address, "", 65_536).await;
            socket.sends(FIN | CLOSE, &code.to_be_bytes()).await;
            assert_eq!(socket.receives().await, (CLOSE, code.to_be_bytes().to_vec()));
            socket.receives_no_more().await;
        }
    };
    actix_web::rt::time::timeout(crate::support::DEADLINE, goodbyes)
        .await
        .expect("they do not add up to seconds");
}
