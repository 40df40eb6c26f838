-- Who may do what, by the server's clock. A row stays when its lease ends, so that tokens grow.
create table {schema}.lease (
  token      bigint not null,
  expires_at timestamptz not null,
  name       text collate "C" not null primary key,
  owner      text not null
) with (fillfactor = 50);
