-- Pictures of products, one each at most; a product without a row has one that is generated from its id.
create table flashsale.product_pictures (
    product_id   uuid        not null,
    content_type text        not null,
    bytes        bytea       not null,
    sha256       bytea       not null,
    updated_at   timestamptz not null default clock_timestamp(),
    constraint product_pictures_pkey primary key (product_id),
    constraint picture_is_of_a_product foreign key (product_id) references flashsale.products (product_id)
    on delete cascade,
    constraint picture_type_is_known check (content_type in (
        'image/png', 'image/jpeg', 'image/webp', 'image/avif', 'image/svg+xml'
    )),
    constraint picture_is_bounded check (octet_length(bytes) between 1 and 1048576),
    constraint picture_hash_is_sha256 check (octet_length(sha256) = 32)
);
-- Compressed already: compressing again only costs.
alter table flashsale.product_pictures alter column bytes set storage external;
