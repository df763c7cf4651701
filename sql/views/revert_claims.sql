-- What commits say that they take back: a row for each sha, pull request or title that one names, and one with none of these where it says no more than that it reverts.
CREATE OR REPLACE VIEW revert_claims AS
FROM claims_of('branch_log');
