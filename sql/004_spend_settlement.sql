-- Money is exact: cents as decimals. A double of the reference becomes the decimal that it is printed as; what is no number, nothing.
alter table spend alter column cents type numeric
  using case when cents - cents = 0 then cents::numeric else 0 end;
alter table pooled_spend alter column cents type numeric
  using case when cents - cents = 0 then cents::numeric else 0 end;

-- What a Claude Code session spent, kept only while a cap on sessions asks for it.
create table if not exists session_spend (
  principal text not null,
  session_id text not null,
  period text not null,
  cents numeric not null default 0,
  updated_at timestamptz not null default now(),
  primary key (principal, session_id, period)
);

create index if not exists session_spend_updated_at on session_spend (updated_at);

-- How far each process has written what it settled: a batch with a number up to `seq` is in the tables, and is never added again.
create table if not exists spend_writers (
  writer text primary key,
  seq bigint not null,
  updated_at timestamptz not null default now()
);

alter table spend_limits drop constraint if exists spend_limits_scope_type_check;
alter table spend_limits add constraint spend_limits_scope_type_check
  check (scope_type in ('user', 'rbac_group', 'organization', 'session'));
