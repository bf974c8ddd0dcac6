//! Buckets in Redis: one key each, one script, the time of the Redis server.

use std::{sync::LazyLock, time::Duration};

use redis::Script;

use super::{Allowance, Limited, Taken};
use crate::{
    redis_link::{Away, Redis},
    settings::Rate,
};

/// The generic cell rate algorithm, as in `in_process`: a bucket is the moment at which it is full
/// again, in microseconds. Answers how many were taken, how many are left, and a wait: until the bucket
/// is full, or, if none was taken, until there is one.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('time')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local every, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local span = every * burst
local base = tonumber(redis.call('get', KEYS[1]) or now)
base = math.min(math.max(base, now), now + span)
local room = math.floor((now + span - base) / every)
local taken = math.min(room, wanted)
if taken < 1 then
    return {0, 0, base + every - now - span}
end
base = base + taken * every
redis.call('set', KEYS[1], string.format('%.0f', base), 'px', math.ceil((base - now) / 1000))
return {taken, room - taken, base - now}
",
    )
});

pub(super) async fn take(redis: &Redis, rate: Rate, key: &str, wanted: u32) -> Result<Taken, Away> {
    let key = redis.key(&format!("rate:{key}"));
    let every_us = u64::try_from(rate.every.as_micros())
        .unwrap_or(u64::MAX)
        .max(1);
    let (taken, remaining, wait_us): (u32, u32, u64) = redis
        .ask(async |mut connection| {
            TAKE.key(key)
                .arg(every_us)
                .arg(rate.burst.max(1))
                .arg(wanted)
                .invoke_async(&mut connection)
                .await
        })
        .await?;
    let wait = Duration::from_micros(wait_us);
    Ok(if taken == 0 {
        Err(Limited {
            limit: rate.burst,
            retry_after: wait,
        })
    } else {
        Ok((
            taken,
            Allowance {
                limit: rate.burst,
                remaining,
                reset: wait,
            },
        ))
    })
}
