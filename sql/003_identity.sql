-- Who a principal is, as the IdP said at the last sign-in, and the groups it was in on a day.
create table if not exists principal_emails (
  principal text primary key,
  email text,
  name text,
  groups jsonb,
  updated_at timestamptz not null default now()
);

create index if not exists principal_emails_updated_at on principal_emails (updated_at);

create table if not exists principal_groups (
  day text not null,
  principal text not null,
  groups jsonb not null,
  primary key (day, principal)
);
