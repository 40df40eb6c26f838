-- :columns
e.position, e.version, e.time_us, e.kind, e.event_id, e.stream, e.data, e.metadata

-- :stream-forwards
select {columns} from {schema}.event e
where e.stream = ? and e.version >= ?
order by e.version
limit ?

-- :stream-backwards
select {columns} from {schema}.event e
where e.stream = ? and e.version <= ?
order by e.version desc
limit ?

-- Up to where everything is visible; the proof is in append.sql. What is read up to it comes in a
-- statement behind this one, with a snapshot of its own; both go to the server together. Sequences
-- and locks know no snapshots, so that one statement serves for both; the sub-select of the locks
-- takes the drawn number as an argument, and so can't be run before it is read, which is done once
-- because of the offset.
-- It can go back: an append may announce a number that it has read long before. What was found to
-- be final stays so, and readers rely on it; so the parameter is a head that was seen before.
-- :horizon
select
  set_config(
    'sluice.horizon',
    greatest(((drawn.number + least(0, held.distance) + 1) << 16) - 1, ?::bigint)::text,
    true),
  current_setting('transaction_isolation'),
  pg_is_in_recovery(),
  drawn.number
from (select {last-number} as number offset 0) drawn
cross join lateral (
  select min({lock-distance}) as distance from pg_locks l where {append-lock}
) held;

-- :horizon-position
current_setting('sluice.horizon')::bigint

-- :log
select {columns} from {schema}.event e
where e.position > ? and e.position <= {until}
order by e.position
limit ?

-- Whatever the horizon is; what of it is final is told by the numbers of the commits.
-- :log-next
select {columns} from {schema}.event e
where e.position > ?
order by e.position
limit ?

-- :log-of-kind
(select {columns} from {schema}.event e
where e.kind = ? and e.position > ? and e.position <= {until}
order by e.position
limit ?)

-- :log-merged
select * from ({branches}) e
order by e.position
limit ?

-- With the number of kinds. It includes the kind of every event below the horizon: kinds are
-- committed before their events draw a number, and so before this statement's snapshot.
-- :log-head
select
  (select coalesce(max(e.position), 0) from {schema}.event e where e.position <= {until}),
  (select count(*) from {schema}.event_kind)

-- :log-count
select count(*) from {schema}.event e where e.position > ? and e.position <= {until}

-- :log-count-of-kinds
select count(*) from {schema}.event e
where e.kind = any (?::integer[]) and e.position > ? and e.position <= {until}

-- :outbox
select
  m.position, m.time_us, m.message_id, m.type, m.key, m.subject, m.correlation_id,
  m.causation_id, m.data
from {schema}.outbox m
where m.position > ? and m.position <= {until}
order by m.position
limit ?

-- :outbox-head
select greatest(
  (select p.position from {schema}.outbox_pruned p),
  (select max(m.position) from {schema}.outbox m where m.position <= {until}))

-- :outbox-count
select count(*) from {schema}.outbox m where m.position > ? and m.position <= {until}

-- Below the slowest relay; greatest() over the row that the delete leaves behind keeps the head.
-- :outbox-prune
with passed as materialized (
  select m.position from {schema}.outbox m
  where m.position <= (
    select min(c.position) from {schema}.checkpoint c where starts_with(c.name, ?))
  order by m.position
  limit ?
), pruned as (
  delete from {schema}.outbox m
  where m.position <= (select max(passed.position) from passed)
  returning m.position
), noted as (
  update {schema}.outbox_pruned p
  set position = greatest(p.position, (select max(pruned.position) from pruned))
  where exists (select from pruned)
)
select count(*) from pruned

-- :kinds
select k.id, k.category, k.type from {schema}.event_kind k order by k.id

-- :add-kind
insert into {schema}.event_kind (category, type) values (?, ?) on conflict do nothing

-- A filter that no kind passes: no rows, in the shape of the others.
-- :log-none
select {columns} from {schema}.event e
where false and e.position > ? and e.position <= {until}
limit ?
