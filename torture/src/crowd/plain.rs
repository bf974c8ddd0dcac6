//! People who only use HTTP: they write, try again under the same name until they are answered, and at
//! times say a thing twice on purpose.

use std::sync::Arc;

use client::Error;
use protocol::messages::SendBody;
use tokio::time::sleep;

use super::{
    board::Phase,
    person::{AGAIN, Person, Words, is_outside},
};
use crate::{
    chance::Chance as _,
    diary::{Diary, Outcome, Sent, Way},
};

/// So many percent of what is written is said again after it was acked.
const TWICE_PERCENT: usize = 15;

/// Takes part until it is over.
pub(super) async fn live(person: Arc<Person>) -> Diary {
    let mut diary = Diary::default();
    let mut signal = person.signal.clone();
    let mut count = 0;
    person.board.unsettle();
    while person.turn(&mut signal).await {
        let Some(words) = person.words(&mut count) else {
            break;
        };
        let sent = say(&person, &words, &mut diary).await;
        match sent.outcome {
            Outcome::Acked { seq, .. } => {
                diary.changes.extend(person.reconsider(&words, seq).await);
                if person.random.percent(TWICE_PERCENT) {
                    let again = say(&person, &words, &mut diary).await;
                    diary.sends.push(again);
                }
            }
            Outcome::Refused(code, _) if is_outside(code) => {
                person.comes_again(words.room, &mut diary).await;
            }
            Outcome::Refused(..) | Outcome::Unanswered => {}
        }
        diary.sends.push(sent);
    }
    person.board.settle();
    person.until(Phase::Over).await;
    diary
}

/// Says it until it is answered.
async fn say(person: &Person, words: &Words, diary: &mut Diary) -> Sent {
    let mut sent = person.gives(words, Way::Http);
    let outcome = loop {
        let body = SendBody {
            body: Some(words.body.clone()),
            client_id: Some(words.name.clone()),
            reply_to: None,
            thread: None,
            files: None,
        };
        match person.session.send(words.room, &body).await {
            Ok(stored) => break person.acked(stored.message.seq),
            Err(Error::Refused(refusal)) if !refusal.is_passing() && refusal.status < 500 => {
                if !is_outside(refusal.detail.code) {
                    person.failed(diary, "send over HTTP", &refusal);
                }
                break Outcome::Refused(refusal.detail.code, person.board.now());
            }
            Err(error) => person.failed(diary, "send over HTTP", &error),
        }
        if person.phase() == Phase::Over {
            break Outcome::Unanswered;
        }
        sleep(person.random.span(AGAIN[0], AGAIN[1])).await;
    };
    person.answered(&mut sent, outcome);
    sent
}
