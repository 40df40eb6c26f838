-- The append, and why a reader misses nothing.
--
-- Positions come from a sequence, and commits end in another order than they draw. A reader that
-- trusts the greatest position would go past an append that is still open. So an append announces,
-- before it draws, a number that is less than what it will draw, and a reader stays below all
-- announcements:
--
--   append (1) reads the sequence's last value, lb
--          (2) takes the shared advisory lock (this sequence, lb), held until its transaction ends
--          (3) draws its number n from the sequence; so n > lb
--          (4) inserts
--   reader (1) reads the sequence's last value, H
--          (2) finds L, the least lb among the held locks
--          (3) reads rows up to commit number min(H, L), in a later statement
--
-- Claim: when (3) begins, every row that will ever have a number up to min(H, L) is visible to it.
-- Proof: let n <= min(H, L) be drawn. n <= H, so n was drawn before reader (1), and its lock was
-- taken before that. At reader (2) the lock is either held; then L <= lb < n, a contradiction. Or
-- it is released. PostgreSQL releases a transaction's locks after it has made the commit visible
-- (CommitTransaction: ProcArrayEndTransaction comes before ResourceOwnerRelease; a prepared
-- transaction keeps its locks, and COMMIT PREPARED has the same order). In READ COMMITTED each
-- statement takes its own snapshot when it starts, so the snapshot of (3) includes it. Or the
-- append was rolled back, and no row has that number. QED.
-- The steps of the append can't be reordered, because each is an argument of the next: {draw} is
-- one expression, nextval(... lock(... last value)), and rows need its result. It is evaluated once
-- per statement: for the only row that is inserted, in a MATERIALIZED CTE, or in a sub-select that
-- refers to nothing outside.
-- Sequences and advisory locks know no snapshots: what was drawn or taken is seen at once.
--
-- Who holds no such lock delays no reader: other transactions, other databases. A lock goes when
-- its transaction ends, however it ends. Three more remarks:
-- - The lock's second key has 32 bits, the low ones of lb. Readers take it as a signed distance
--   from H, which is right while fewer than 2^31 commits begin during one append.
-- - After a crash a number may be drawn again that was drawn, but not flushed. Nobody has seen a
--   row with such a number, since what is visible is flushed (unless synchronous_commit is off,
--   which the start-up check warns of), and readers keep only positions of rows.
-- - Who knows that everything up to number n is final, and sees rows with n + 1, n + 2 and so on
--   without a hole, knows the same of these, and needs to ask for no lock: a number is used by one
--   statement only, whose rows become visible together, and never again.

-- :last-number
pg_sequence_last_value('{schema}.commit_number'::regclass)

-- :lock
pg_advisory_xact_lock_shared(
  {lock-class}, (({last-number} << 32) >> 32)::integer)::text = ''

-- :lock-class
('{schema}.commit_number'::regclass::oid::bigint << 32 >> 32)::integer

-- Those of the locks that are held, and how far below the last number an append began: for readers.
-- :append-lock
l.locktype = 'advisory'
and l.database = (select d.oid from pg_database d where d.datname = current_database())
and l.classid = '{schema}.commit_number'::regclass::oid
and l.objsubid = 2
and l.granted

-- :lock-distance
((l.objid::bigint - drawn.number) << 32 >> 32)

-- An append in a transaction of its own. The time limit is for waiting for another transaction that
-- holds the same stream open: then this append leaves the queue, so that its neighbours don't wait.
-- :draw
nextval(
  case
    when {lock} and set_config('lock_timeout', '{lock-timeout}', true) <> ''
    then '{schema}.commit_number'::regclass
  end) << 16

-- One that has left the queue, and waits.
-- :draw-alone
nextval(case when {lock} then '{schema}.commit_number'::regclass end) << 16

-- In a transaction of the caller, one lock is enough for all its appends, and more could fill the
-- lock table. The setting lives and dies with the lock, also across savepoints. At other isolation
-- levels the number is null, and the insert fails.
-- :draw-joined
nextval(
  case
    when current_setting('transaction_isolation') <> 'read committed' then null
    when current_setting('sluice.c' || '{schema}.commit_number'::regclass::oid, true) = 'locked'
      or ({lock} and set_config('sluice.c' || '{schema}.commit_number'::regclass::oid, 'locked', true) <> '')
    then '{schema}.commit_number'::regclass
  end) << 16

-- How many events a stream holds, or 0 if these are less than expected. Without the lower bound the
-- index scan would look at all versions of the stream that share a page with the last one.
-- :actual
coalesce(
  (select e.version from {schema}.event e where e.stream = given.id and e.version >= given.expected
  order by e.version desc limit 1),
  0) as actual

-- Expected: a version, or -1 for any, or -2 for an existing stream.
-- :met
case stream.expected
  when -1 then true
  when -2 then stream.actual > 0
  else stream.expected = stream.actual
end

-- One event, no message: the plainest form, because most appends are like this.
-- :one
insert into {schema}.event (position, version, time_us, kind, event_id, stream, data, metadata)
select {draw}, stream.actual + 1, ?::bigint, ?::integer, ?::uuid, stream.id, ?::bytea, ?::bytea
from (
  select given.id, given.expected, {actual}
  from (select ?::text as id, ?::bigint as expected) given
  offset 0
) stream
where {met}
returning position, version

-- The rows of events and messages come in one array per column. Several unnest in a SELECT list step
-- together, and as row sources in FROM each would be stored first. The arrays are in sub-selects so
-- that the plan does not depend on their lengths and is made only once.

-- The rows of the events, and which of them each is, from 1.
-- :event-rows
generate_series(1, (select ?::integer)) as i, unnest((select ?::bigint[])) as time_us,
unnest((select ?::integer[])) as kind, unnest((select ?::uuid[])) as event_id,
unnest((select ?::bytea[])) as data, unnest((select ?::bytea[])) as metadata

-- :message-rows
generate_series(1, (select ?::integer)) as i, unnest((select ?::bigint[])) as time_us,
unnest((select ?::uuid[])) as message_id, unnest((select ?::text[])) as type,
unnest((select ?::text[])) as key, unnest((select ?::text[])) as subject,
unnest((select ?::text[])) as correlation_id, unnest((select ?::text[])) as causation_id,
unnest((select ?::bytea[])) as data

-- The events of one append.
-- :batch
with stream as materialized (
  select given.id, given.expected, {actual}
  from (select ?::text as id, ?::bigint as expected) given
), commit as materialized (
  select {draw} as base from stream where {met}
), stored as (
  insert into {schema}.event (position, version, time_us, kind, event_id, stream, data, metadata)
  select
    commit.base + event.i - 1, stream.actual + event.i, event.time_us, event.kind, event.event_id,
    stream.id, event.data, event.metadata
  from commit, stream, (select {event-rows}) event
){messages}
select 1 as n, commit.base, stream.actual from commit, stream

-- :batch-messages
, sent as (
  insert into {schema}.outbox (
    position, time_us, message_id, type, key, subject, correlation_id, causation_id, data)
  select
    commit.base + message.i - 1, message.time_us, message.message_id, message.type, message.key,
    message.subject, message.correlation_id, message.causation_id, message.data
  from commit, (select {message-rows}) message
)

-- Several appends to different streams, in one commit; those whose streams are not as expected are
-- left out. first is the index, from 1, of an append's first event among all events. A row for each
-- append that is stored: which it is, the position of the commit, the stream's version before.
-- :group
with stream as materialized (
  select given.id, given.expected, given.first, given.n, {actual}
  from (
    select
      generate_series(1, (select ?::integer)) as n, unnest((select ?::text[])) as id,
      unnest((select ?::bigint[])) as expected, unnest((select ?::bigint[])) as first
  ) given
), commit as materialized (
  select {draw} as base where exists (select from stream where {met})
), stored as (
  insert into {schema}.event (position, version, time_us, kind, event_id, stream, data, metadata)
  select
    commit.base + event.i - 1, stream.actual + event.i - stream.first + 1, event.time_us,
    event.kind, event.event_id, stream.id, event.data, event.metadata
  from commit, stream
  join (select unnest((select ?::bigint[])) as n, {event-rows}) event on event.n = stream.n
  where {met}
){messages}
select stream.n, commit.base, stream.actual from commit, stream where {met}

-- The same for appends of one event each without messages, which most are. What stands in one array
-- per column needs no join, and nothing has to be kept for a second use: the number is drawn when the
-- first row needs it, and once.
-- :group-of-ones
insert into {schema}.event (position, version, time_us, kind, event_id, stream, data, metadata)
select
  (select {draw}) + stream.i - 1, stream.actual + 1, stream.time_us, stream.kind, stream.event_id,
  stream.id, stream.data, stream.metadata
from (
  select given.*, {actual}
  from (
    select
      unnest((select ?::text[])) as id, unnest((select ?::bigint[])) as expected, {event-rows}
  ) given
  offset 0
) stream
where {met}
returning (position & 65535) + 1 as n, position - (position & 65535) as base, version - 1 as actual

-- :group-messages
, sent as (
  insert into {schema}.outbox (
    position, time_us, message_id, type, key, subject, correlation_id, causation_id, data)
  select
    commit.base + message.i - 1, message.time_us, message.message_id, message.type, message.key,
    message.subject, message.correlation_id, message.causation_id, message.data
  from commit, stream
  join (select unnest((select ?::bigint[])) as n, {message-rows}) message on message.n = stream.n
  where {met}
)

-- Why an append was refused: what is stored under its ids, and the stream's version.
-- :stored-ids
select e.event_id, e.stream, e.version, e.position
from {schema}.event e
where e.event_id = any (?::uuid[])

-- :stream-version
select coalesce(max(e.version), 0) from {schema}.event e where e.stream = ?
