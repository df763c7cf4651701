-- Run once, when the volume of PostgreSQL is made: the history's catalog beside Dagster's instance.
CREATE DATABASE history;
