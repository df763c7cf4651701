-- With which day did each channel begin, for each reader?
SELECT channel, reader, min(day) AS day FROM deliveries GROUP BY channel, reader ORDER BY channel, reader;
