-- Which migrations were applied?
FROM schema_migrations SELECT name WHERE name NOT LIKE 'views-%' ORDER BY name;
