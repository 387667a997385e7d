ALTER TABLE orders ADD COLUMN total_cents bigint NOT NULL DEFAULT 0;
CREATE INDEX orders_placed_at ON orders (placed_at);
