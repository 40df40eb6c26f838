-- Integration messages: a log of its own, with positions of the same commits. Relays keep their
-- own positions, so no row is ever updated; pruning removes from the low end.
create table {schema}.outbox (
  position       bigint not null,
  time_us        bigint not null,
  message_id     uuid not null,
  type           text collate "C" not null,
  key            text collate "C" not null,
  subject        text collate "C" not null,
  correlation_id text collate "C",
  causation_id   text collate "C",
  data           bytea not null,
  constraint outbox_by_position primary key (position)
);

-- The greatest position that was removed: what the head is when everything was.
create table {schema}.outbox_pruned (
  only_row boolean primary key default true check (only_row),
  position bigint not null
);

insert into {schema}.outbox_pruned (position) values (0);
