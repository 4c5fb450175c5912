-- What the check of a request reads. A function, because the connection then keeps its plan: planning it takes longer than all
-- the rest. Replicas of other versions may be calling it, so a change is a function of another name, in a later migration.
--
-- However large the tables are, each row is fetched by its key: by subqueries, since for a join with lists whose length the
-- planner cannot know it may read a whole table instead. It takes them for a hundred long; where that multiplies it is told
-- better by a limit, or the statement looks dear enough to be compiled first (jit).
--
-- `asked` is {principals: [], groups: [], sessions: [[principal, session_id]], periods: [], month, writer}. The answer is one
-- row; a list without elements is null. What it holds is described in src/store/standings.ts.
create or replace function spend_standings_1(asked jsonb)
returns table (caps json, principals json, pools json, sessions json, seq text)
language plpgsql stable as $function$
#variable_conflict use_column
begin
  return query
  with people as (select jsonb_array_elements_text(asked -> 'principals') as id),
  teams as (select jsonb_array_elements_text(asked -> 'groups') as id),
  dates as (select jsonb_array_elements_text(asked -> 'periods') as key limit 3),
  sittings as (
    select pair ->> 0 as principal, pair ->> 1 as id
    from (select jsonb_array_elements(asked -> 'sessions') as pair) as pairs
  ),
  scopes as (
    select 'organization' as type, '' as id union all select 'session', ''
    union all select 'user', id from people
    union all select 'rbac_group', id from teams
  ),
  bearing as (
    select found.* from scopes cross join lateral (
      select spend_limits.* from spend_limits
      where scope_type = scopes.type and scope_id = scopes.id
      limit 3
    ) as found
  )
  select
    (select json_agg(json_build_object(
      'id', id, 'scope_type', scope_type, 'scope_id', scope_id, 'period', period, 'amount', amount::text,
      'pooled_limit_enabled', pooled_limit_enabled,
      'pooled_monthly_credit_limit', pooled_monthly_credit_limit::text
    )) from bearing),
    (select json_agg(json_build_object('principal', people.id, 'period', dates.key, 'cents', coalesce((
      select cents from spend where principal = people.id and period = dates.key
    ), 0)::text)) from people cross join dates),
    (select json_agg(json_build_object('group', scope_id, 'cents', coalesce((
      select cents from pooled_spend
      where rbac_group_id = scope_id and pooled_spend.period = asked ->> 'month'
    ), 0)::text)) from bearing where pooled_monthly_credit_limit is not null),
    (select json_agg(json_build_object(
      'principal', principal, 'session', sittings.id, 'period', dates.key, 'cents', coalesce((
        select cents from session_spend as spent
        where spent.principal = sittings.principal and session_id = sittings.id and period = dates.key
      ), 0)::text
    )) from sittings cross join dates
      where exists (select from bearing where scope_type = 'session')),
    (select known.seq::text from spend_writers as known where writer = asked ->> 'writer');
end
$function$;
