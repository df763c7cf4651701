-- The pattern of a word in any case; null for none. By itself (?i) takes a first s for the old long ſ and a first k for
-- the sign of kelvin too, and finds them four times as slowly, 70 instead of 17 ms over 24 MB: here those two are not looked
-- for as first letters.
CREATE OR REPLACE MACRO word_pattern(word) AS
    '(?i:' || regexp_replace(regexp_replace(regexp_escape(word), '^[sS]', '(?-i:[sS])'), '^[kK]', '(?-i:[kK])') || ')';
