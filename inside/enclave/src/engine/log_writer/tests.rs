#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use adyton_engine::LogTip;
use adyton_ledger::{Body, Entry, Frontier, Hash, Header, Kind, Record, Size, VaultId};
use adyton_seal::SigningKey;
use tokio::time::{Duration, advance};

use super::super::appender::FakeHost;
use super::*;

const OPS: LogId = LogId::from_number(1);

fn entry(index: u64) -> Record {
    let header = Header {
        kind: Kind::Ops,
        hot_size: Size::ABSENT,
        kept_size: Size::ABSENT,
        index,
        time_bucket: 0,
        boot_id: [0; 16],
        release: 1,
        hot_root: Hash::default(),
        kept_root: Hash::default(),
    };
    let entry = Entry::new(&header, None, None);
    assert_eq!(entry.body_hash(Body::Hot), Hash::default());
    Record { entry, hot: None, kept: None }
}

fn world() -> (LogTip, LogWriter, FakeHost) {
    let signer = SigningKey::from_seed(&adyton_seal::Secret::init_with(|seed| seed.fill(3))).unwrap();
    let (appender, host) = Appender::with_fake_host();
    let tip = LogTip::new(&VaultId([9; 32]), OPS, signer, Frontier::new(), 0);
    (tip, LogWriter::over(appender, OPS, Events::silent()), host)
}

/// Sends the next entry of the log.
fn send(tip: &mut LogTip, writer: &mut LogWriter) {
    let sealed = tip.sign(entry(tip.size()));
    writer.send(&sealed).unwrap();
    tip.advance(&sealed);
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_durable_after_an_outage_and_counts_from_when_it_was_first_sent() {
    let (mut tip, mut writer, mut host) = world();
    let started = Instant::now();
    send(&mut tip, &mut writer);
    assert!(writer.is_in_flight() && writer.renewed().is_none());
    host.frame().await;
    host.report(Progress::Lost).await;
    assert_eq!(writer.step().await, Ok(Step::Lost));
    assert!(writer.is_in_flight());
    advance(Duration::from_secs(60)).await;
    host.report(Progress::Durable { size: 1 }).await;
    assert_eq!(writer.step().await, Ok(Step::Durable(1)));
    assert!(!writer.is_in_flight());
    assert_eq!(writer.renewed(), Some(started));
    // The next one goes the same way.
    send(&mut tip, &mut writer);
    host.frame().await;
    host.report(Progress::Durable { size: 2 }).await;
    assert_eq!(writer.settle().await, Ok(()));
}

#[tokio::test]
async fn another_size_a_conflict_and_a_channel_that_is_gone_stop_it_for_ever() {
    for (said, reason) in [
        (Some(Progress::Durable { size: 7 }), StopReason::Fenced),
        (Some(Progress::Conflict { size: 7 }), StopReason::Conflict),
        (None, StopReason::ChannelGone),
    ] {
        let (mut tip, mut writer, mut host) = world();
        send(&mut tip, &mut writer);
        host.frame().await;
        match said {
            Some(said) => host.report(said).await,
            None => drop(host),
        }
        assert_eq!(writer.step().await, Err(reason));
        assert_eq!((writer.is_in_flight(), writer.renewed()), (false, None));
        assert_eq!(writer.settle().await, Err(reason));
        assert_eq!(writer.send(&tip.sign(entry(1))), Err(reason));
    }
}
