-- The log as people read it.
create view {schema}.event_text as
select
  event.position,
  event.stream,
  event.version,
  kind.type,
  timestamptz 'epoch' + event.time_us * interval '1 microsecond' as time,
  event.event_id,
  convert_from(event.data, 'UTF8') as data,
  convert_from(event.metadata, 'UTF8') as metadata
from {schema}.event event
join {schema}.event_kind kind on kind.id = event.kind;
