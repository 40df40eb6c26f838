-- Who holds one of the append locks, the oldest first. A prepared transaction has no process.
-- :open-appends
select
  drawn.number + ((l.objid::bigint - drawn.number) << 32 >> 32) as above,
  coalesce(
    'pid ' || a.pid || ' (' || nullif(a.application_name, '') || ')',
    'pid ' || l.pid,
    (select 'prepared transaction ' || quote_literal(p.gid)
      from pg_prepared_xacts p where l.virtualtransaction = '-1/' || p.transaction),
    'an unknown transaction') as who,
  coalesce(
    a.xact_start,
    (select p.prepared from pg_prepared_xacts p where l.virtualtransaction = '-1/' || p.transaction),
    clock_timestamp()) as since,
  (extract(epoch from clock_timestamp() - coalesce(
    a.xact_start,
    (select p.prepared from pg_prepared_xacts p where l.virtualtransaction = '-1/' || p.transaction),
    clock_timestamp())) * 1000)::bigint as age_millis,
  coalesce(a.state, 'prepared') as state,
  coalesce(left(regexp_replace(a.query, '\s+', ' ', 'g'), 120), 'none') as query
from (select pg_sequence_last_value('{schema}.commit_number'::regclass) as number) drawn
join pg_locks l
  on l.locktype = 'advisory'
  and l.database = (select d.oid from pg_database d where d.datname = current_database())
  and l.classid = '{schema}.commit_number'::regclass::oid
  and l.objsubid = 2
  and l.granted
left join pg_stat_activity a on a.pid = l.pid
order by above, since

-- :sequence-check
select
  s.seqcache, s.seqcycle, s.seqincrement,
  pg_sequence_last_value('{schema}.commit_number'::regclass),
  greatest(
    (select max(e.position) from {schema}.event e),
    (select max(m.position) from {schema}.outbox m),
    (select p.position from {schema}.outbox_pruned p)) >> 16
from pg_sequence s
where s.seqrelid = '{schema}.commit_number'::regclass
