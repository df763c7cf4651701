-- The hashes of all questions that were answered before.
SELECT DISTINCT input_hash FROM answers;
