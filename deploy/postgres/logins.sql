-- Lets the API and the workers log in as members of the roles that `flashsale migrate` has made (sql/roles.sql), which may
-- execute their own functions and touch no table. Run it as the owner of the database, after migrate; again to change a password:
--   API_PASSWORD=… WORKER_PASSWORD=… psql "$owner_url" --file=deploy/postgres/logins.sql
-- Nothing else is set for them: every function pins its search_path, and statement time-outs come with the connection.
-- A setting made by `alter role … set` counts for whoever logs in as that role, never for its members.
\set ON_ERROR_STOP on
\getenv api_password API_PASSWORD
\getenv worker_password WORKER_PASSWORD
\if :{?api_password} \else
    do $$ begin raise exception 'API_PASSWORD is not set: choose the password of the login "api"'; end $$;
\endif
\if :{?worker_password} \else
    do $$ begin raise exception 'WORKER_PASSWORD is not set: choose the password of the login "worker"'; end $$;
\endif

-- A password must not reach the server's log with a statement that was slow or failed. Only a superuser may see to that; for
-- others the server's settings count.
select rolsuper as is_superuser from pg_catalog.pg_roles where rolname = current_user
\gset
\if :is_superuser
    set log_statement = none;
    set log_min_duration_statement = -1;
    set log_min_error_statement = panic;
\endif

set client_min_messages = warning;
begin;
select format('create role %I', login.name)
from (values ('api'), ('worker')) as login (name)
where not exists (select from pg_catalog.pg_roles r where r.rolname = login.name)
\gexec
alter role api login password :'api_password';
alter role worker login password :'worker_password';
grant flashsale_api to api;
grant flashsale_worker to worker;
commit;
