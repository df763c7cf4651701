-- When it was first tried to bring a page; null where that was before this was kept. delivered_at is when it came last.
ALTER TABLE deliveries ADD COLUMN first_at TIMESTAMPTZ;
