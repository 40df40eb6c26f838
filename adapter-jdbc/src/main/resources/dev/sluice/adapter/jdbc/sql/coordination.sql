-- :checkpoint-load
select name, position, state, token, revision from {schema}.checkpoint where name = :name

-- :checkpoint-list
select name, position, state, token, revision from {schema}.checkpoint
where starts_with(name, :prefix)
order by name

-- :checkpoint-save-first
insert into {schema}.checkpoint (name, position, state, token, revision, saved_at)
values (:name, :position, :state, :token, 1, clock_timestamp())
on conflict do nothing

-- :checkpoint-save-next
update {schema}.checkpoint
set position = :position, state = :state, token = :token, revision = :revision,
  saved_at = clock_timestamp()
where name = :name and revision = :revision - 1 and token <= :token and position <= :position

-- :checkpoint-delete
delete from {schema}.checkpoint where name = :name

-- The row stays when a lease ends, so that its token can grow. The owner is compared as well: a
-- server that takes over without the last commits gives tokens again.
-- :lease-acquire
insert into {schema}.lease as l (name, owner, token, expires_at)
values (:name, :owner, 1, clock_timestamp() + :micros * interval '1 microsecond')
on conflict (name) do update
set owner = excluded.owner, token = l.token + 1,
  expires_at = clock_timestamp() + :micros * interval '1 microsecond'
where l.expires_at <= clock_timestamp()
returning name, owner, token, expires_at

-- :lease-renew
update {schema}.lease
set expires_at = clock_timestamp() + :micros * interval '1 microsecond'
where name = :name and owner = :owner and token = :token and expires_at > clock_timestamp()
returning name, owner, token, expires_at

-- :lease-release
update {schema}.lease
set expires_at = '-infinity'
where name = :name and owner = :owner and token = :token

-- :lease-list
select name, owner, token, expires_at from {schema}.lease
where starts_with(name, :prefix) and expires_at > clock_timestamp()
order by name

-- :snapshot-load
select version, state from {schema}.snapshot where stream = :stream and schema_name = :schema

-- :snapshot-save
insert into {schema}.snapshot (stream, schema_name, version, state)
values (:stream, :schema, :version, :state)
on conflict (stream, schema_name) do update
set version = excluded.version, state = excluded.state

-- :snapshot-delete
delete from {schema}.snapshot where stream = :stream
