-- Who holds one of the append locks, the oldest first. A prepared transaction has no process. Of
-- other users' sessions all but the pid is null without pg_read_all_stats.
-- :open-appends
select
  drawn.number + {lock-distance} as above,
  coalesce(
    'pid ' || a.pid || ' (' || nullif(a.application_name, '') || ')',
    'pid ' || l.pid,
    'prepared transaction ' || quote_literal(p.gid),
    'an unknown transaction') as who,
  coalesce(a.xact_start, p.prepared, clock_timestamp()) as since,
  case when a.pid is null or a.state is not null then
    (extract(
      epoch from clock_timestamp() - coalesce(a.xact_start, p.prepared, clock_timestamp())) * 1000)
      ::bigint
  end as age_millis,
  case
    when a.state is not null then a.state
    when a.pid is not null then 'unknown: grant pg_read_all_stats'
    when l.pid is null then 'prepared'
    else 'ended'
  end as state,
  coalesce(left(regexp_replace(a.query, '\s+', ' ', 'g'), 120), 'none') as query
from (select {last-number-if-allowed} as number) drawn
join pg_locks l on {append-lock}
left join pg_stat_activity a on a.pid = l.pid
left join pg_locks t
  on l.pid is null
  and t.locktype = 'transactionid'
  and t.virtualtransaction = l.virtualtransaction
left join pg_prepared_xacts p on p.transaction = t.transactionid
order by above, since

-- Before PostgreSQL 17 it is an error to ask for it without the right to.
-- :last-number-if-allowed
case
  when has_sequence_privilege('{schema}.commit_number'::regclass, 'usage')
    or has_sequence_privilege('{schema}.commit_number'::regclass, 'select')
  then {last-number}
end

-- :sequence-check
select
  s.seqcache, s.seqcycle, s.seqincrement,
  {last-number-if-allowed},
  greatest(
    (select max(e.position) from {schema}.event e),
    (select max(m.position) from {schema}.outbox m),
    (select p.position from {schema}.outbox_pruned p)) >> 16,
  exists (
    select from pg_depend d
    where d.refclassid = 'pg_class'::regclass
      and (d.classid = 'pg_attrdef'::regclass and d.refobjid = s.seqrelid
        or d.classid = 'pg_class'::regclass and d.objid = s.seqrelid and d.deptype in ('a', 'i'))),
  has_sequence_privilege(s.seqrelid, 'usage') or has_sequence_privilege(s.seqrelid, 'select')
from pg_sequence s
where s.seqrelid = '{schema}.commit_number'::regclass

-- What this user may not do and a storage does, as the statements that would grant it. What isn't
-- there yet will be this user's own.
-- :missing-grants
select format('grant usage on schema %I to %I', n.nspname, current_user), 0 as place
from pg_namespace n
where n.nspname = ? and not has_schema_privilege(n.oid, 'usage')
union all
select
  format(
    'grant %s on %s%I.%I to %I',
    string_agg(needed.may, ', ' order by needed.number),
    case when c.relkind = 'S' then 'sequence ' else '' end,
    n.nspname, c.relname, current_user),
  o.place
from (values
  (1, 'commit_number', 'usage, select'),
  (2, 'schema_version', 'select'),
  (3, 'event', 'select, insert'),
  (4, 'event_kind', 'select, insert'),
  (5, 'outbox', 'select, insert, delete'),
  (6, 'outbox_pruned', 'select, update'),
  (7, 'checkpoint', 'select, insert, update, delete'),
  (8, 'lease', 'select, insert, update, delete'),
  (9, 'snapshot', 'select, insert, update, delete')) o (place, name, rights)
cross join string_to_table(o.rights, ', ') with ordinality needed (may, number)
join pg_namespace n on n.nspname = ?
join pg_class c on c.relnamespace = n.oid and c.relname = o.name
where not case
  when c.relkind = 'S' then has_sequence_privilege(c.oid, needed.may)
  else has_table_privilege(c.oid, needed.may)
end
group by o.place, c.relkind, n.nspname, c.relname
order by place

-- Whether the schema is there, and which ones have a store.
-- :stores
select
  exists (select from pg_namespace where nspname = ?),
  array_to_string(
    array(
      select n.nspname
      from pg_namespace n
      join pg_class c on c.relnamespace = n.oid
      where c.relname in ('schema_version', 'commit_number')
      group by n.nspname
      having count(*) = 2
      order by n.nspname),
    ', ')

-- :sizes
select
  c.relname as name,
  greatest(c.reltuples, 0)::bigint as rows,
  pg_size_pretty(pg_table_size(c.oid)) as data,
  pg_size_pretty(pg_indexes_size(c.oid)) as indexes
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = :schema and c.relkind in ('r', 'p')
order by pg_total_relation_size(c.oid) desc, c.relname

-- :broken-indexes
select c.relname
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = :schema and not (i.indisvalid and i.indisready)
order by c.relname

-- The lag of each reader in rows, which are not counted for ever, since when it saved nothing, and
-- whether somebody runs it. A relay's checkpoint has the position up to which messages may be
-- pruned; how far it has come stands in its state. A change of the number of lanes runs them all.
-- Where messages are made from history, they have positions of their own, and so no lag. What reads
-- nothing is left out.
-- :readers
select
  c.name, c.position, c.token, c.state,
  case
    when starts_with(c.name, 'backfill/') then -1
    when starts_with(c.name, 'relay/')
    then (
      select count(*) from (
        select from {schema}.outbox m
        where m.position > greatest(
          c.position, substring(encode(c.state, 'escape') from '^p1-([0-9]{1,18})')::bigint)
        limit :most) passed)
    else (
      select count(*) from (
        select from {schema}.event e where e.position > c.position limit :most) passed)
  end as behind,
  extract(epoch from clock_timestamp() - c.saved_at)::bigint as seconds
from {schema}.checkpoint c
where c.name !~ '^(process-deadlines|projection|relay-control|subscription-commands)/'
order by c.name

-- Of members only those that are there: each process has been one under another name.
-- :holders
select
  name, owner, token,
  case
    when expires_at > clock_timestamp()
    then extract(epoch from expires_at - clock_timestamp())::bigint
  end as seconds
from {schema}.lease
where expires_at > clock_timestamp() or name !~ '^(subscription/[^/]+/member|relay-member)/'
order by name
