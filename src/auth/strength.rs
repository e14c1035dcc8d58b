//! Password strength, estimated by zxcvbn: common passwords, words, dates, keyboard rows, repetitions.

use zxcvbn::zxcvbn;

/// Error for a password that is easy to guess.
const WEAK: &str = "This password is too easy to guess.";

/// Minimum number of guesses that a password must take. Online guessing is limited to some hundred per hour.
const ENOUGH_GUESSES: u64 = 100_000;

/// A password of at least this many characters is accepted whatever it consists of.
const LONG: usize = 64;

/// Characters that are estimated together.
const PIECE: usize = 32;

/// Characters that are estimated together if many of them may be substitutes for letters, as in `p4$$w0rd`.
/// zxcvbn then tries all combinations, and more characters take seconds.
const PIECE_IN_DISGUISE: usize = 12;

/// Characters that may be substitutes for letters.
const DISGUISES: &str = "4@8({[<3691!|70$5+%2";

/// How many different substitutes are cheap to estimate.
const FEW_DISGUISES: usize = 4;

/// Minimum number of letters and digits beside the names of the user.
const BESIDE_NAMES: usize = 4;

/// Minimum length of a name; shorter ones occur in too many words.
const SHORTEST_NAME: usize = 3;

/// Name of this program, which is also the password of its demo users.
const OURS: &str = "greenroom";

/// Checks the strength of a password, given the names and addresses of its user.
pub(super) fn check(password: &str, known: &[String]) -> Result<(), String> {
    if password.chars().all(|letter| letter.is_whitespace() || letter.is_control()) {
        return Err(WEAK.to_owned());
    }
    if password.chars().count() >= LONG {
        return Ok(());
    }
    let names = names(known);
    let is_weak = is_made_of(password, &names) || guesses(password, &names) < ENOUGH_GUESSES;
    if is_weak { Err(WEAK.to_owned()) } else { Ok(()) }
}

/// Returns names and addresses, and the words in them, in lower case, the longest first.
fn names(known: &[String]) -> Vec<String> {
    let whole = known.iter().map(|text| text.to_lowercase());
    let mut names: Vec<String> = whole.chain([OURS.to_owned()]).collect();
    let words = |text: &String| -> Vec<String> {
        text.split(|letter: char| !letter.is_alphanumeric()).map(str::to_owned).collect()
    };
    names.extend(names.iter().flat_map(words).collect::<Vec<_>>());
    names.retain(|name| name.chars().count() >= SHORTEST_NAME);
    names.sort_unstable_by(|a, b| b.chars().count().cmp(&a.chars().count()).then_with(|| a.cmp(b)));
    names.dedup();
    names
}

/// Whether a password consists of names with fewer than [`BESIDE_NAMES`] other letters and digits.
fn is_made_of(password: &str, names: &[String]) -> bool {
    let mut rest = password.to_lowercase();
    for name in names {
        rest = rest.replace(name, " ");
    }
    rest.chars().filter(|letter| letter.is_alphanumeric()).count() < BESIDE_NAMES
        && rest != password.to_lowercase()
}

/// Estimates the guesses that a password takes: those of its hardest piece.
fn guesses(password: &str, names: &[String]) -> u64 {
    let letters: Vec<char> = password.chars().collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let disguises = DISGUISES.chars().filter(|letter| letters.contains(letter)).count();
    let size = if disguises > FEW_DISGUISES { PIECE_IN_DISGUISE } else { PIECE };
    let pieces = letters.chunks(size).map(|piece| piece.iter().collect::<String>());
    pieces.map(|piece| zxcvbn(&piece, &names).guesses()).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(password: &str) -> bool {
        let known = ["ann_b", "ann@post.example", "Annabel", "Žukaitė", "Annabel Žukaitė"];
        check(password, &known.map(str::to_owned)).is_ok()
    }

    #[test]
    fn what_is_often_tried_first_is_refused() {
        for bad in [
            "password",
            "12345678",
            "        ",
            "\u{a0}\t \n\t \n ",
            "qwertyui",
            "aaaaaaaa",
            "Passw0rd!",
            "P@ssw0rd",
            "iloveyou",
            "abcdefgh",
            "password1",
            "20240101",
            "1q2w3e4r",
            "letmein!!",
            "11111111111111111111",
            "passwordpassword",
            "iloveyouiloveyou1234",
            "passwordpasswordpasswordpassword",
            "密码密码密码密码",
            "greenroom",
            "Greenroom1",
        ] {
            assert!(!passes(bad), "{bad:?}");
        }
    }

    #[test]
    fn ones_own_names_are_refused_however_they_are_written() {
        for bad in [
            "ann_b123",
            "ANN_B!!!",
            "annabelannabel",
            "Annabel1",
            "žukaitė1",
            "ŽUKAITĖ!",
            "Annabel Žukaitė",
            "annabelžukaitė",
            "ann@post.example",
            "post.example",
        ] {
            assert!(!passes(bad), "{bad:?}");
        }
    }

    #[test]
    fn what_nobody_tries_is_taken_in_any_script() {
        for good in [
            "correct horse",
            "another horse",
            "battery staple",
            "long enough",
            "j4kd8s2p",
            "žąsytėžą",
            "πέντε μήλα",
            "зелёная лампа",
            "緑の部屋で待つ人",
            "🦊🌲🚲🎷🍋🧶🎈🪁",
            "annabel likes tea",
        ] {
            assert!(passes(good), "{good:?}");
        }
        for letter in ["ж", "密", "🦊", "x"] {
            assert!(passes(&letter.repeat(LONG)), "{letter}");
        }
    }
}
