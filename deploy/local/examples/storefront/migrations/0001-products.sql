CREATE TABLE products (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    cents integer NOT NULL
);
INSERT INTO products VALUES
    (1, 'Hard hat', 2900),
    (2, 'Signal gloves', 1450),
    (3, 'Shackle, 2 t', 1990),
    (4, 'Wire rope, 10 m', 3450),
    (5, 'Round sling, 2 m', 1290),
    (6, 'Amber beacon', 2150);
