//! Pictures of products: what an administrator uploaded, or one drawn from the product's id. A crowd asks for the same few
//! at once, so they are kept in memory for a few seconds, and a picture that is not there is read once for all who wait.

use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::Unavailable;
use crate::config::{PICTURE_CACHE_BYTES_MAX, PICTURE_READS_IN_FLIGHT_MAX, deadlines, intervals};
use crate::db::{Database, DbError, StoredPicture};
use crate::domain::{ProductId, draw_picture};

/// Longest picture, in bytes; the table has the same bound.
pub const PICTURE_BYTES_MAX: usize = 1024 * 1024;
/// What an entry costs besides its bytes.
const ENTRY_BYTES: u32 = 512;

/// What pictures may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureType {
    Png,
    Jpeg,
    Webp,
    Avif,
    /// Can hold scripts, so nobody uploads one: for those we made.
    Svg,
}

impl PictureType {
    /// The type of a picture to be uploaded, by its `Content-Type`; parameters are passed over.
    pub fn of_upload(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        [Self::Png, Self::Jpeg, Self::Webp, Self::Avif]
            .into_iter()
            .find(|kind| kind.content_type().eq_ignore_ascii_case(essence))
    }

    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Avif => "image/avif",
            Self::Svg => "image/svg+xml",
        }
    }

    /// Whether bytes begin as a picture of this type does.
    pub fn is_type_of(self, bytes: &[u8]) -> bool {
        use infer::image::{is_avif, is_jpeg, is_png, is_webp};
        match self {
            Self::Png => is_png(bytes),
            Self::Jpeg => is_jpeg(bytes),
            Self::Webp => is_webp(bytes),
            Self::Avif => is_avif(bytes),
            Self::Svg => bytes.starts_with(b"<svg"),
        }
    }
}

/// A picture ready to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub content_type: String,
    pub bytes: Bytes,
    /// Strong entity tag, with its quotes.
    pub etag: Bytes,
}

/// The pictures of a process.
#[derive(Clone)]
pub struct Pictures {
    database: Database,
    /// `None` for products there are not: asking for those costs the database no more.
    cache: Cache<ProductId, Option<Arc<Picture>>>,
    /// Who may ask the database: anybody can name products there are not, and must not take the pool from those who buy.
    reads: Arc<Semaphore>,
}

impl Pictures {
    pub fn new(database: Database) -> Self {
        let cache = Cache::builder()
            .weigher(|_, picture: &Option<Arc<Picture>>| {
                let bytes = picture.as_ref().map_or(0, |picture| picture.bytes.len());
                ENTRY_BYTES.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX))
            })
            .max_capacity(PICTURE_CACHE_BYTES_MAX)
            .time_to_live(intervals::PICTURE_RELOAD)
            .build();
        Self { database, cache, reads: Arc::new(Semaphore::new(PICTURE_READS_IN_FLIGHT_MAX)) }
    }

    /// The picture of a product; `None` for a product there is not.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn find_picture(&self, product_id: ProductId) -> Result<Option<Arc<Picture>>, Arc<Unavailable>> {
        self.cache
            .try_get_with(product_id, async {
                let turn = tokio::time::timeout(deadlines::PICTURE_TURN, self.reads.acquire()).await;
                let _turn = turn.map_err(|_| Unavailable::Overloaded("too many pictures are being read"))?;
                let found = self.database.find_picture(product_id).await?;
                Ok(found.map(|stored| Arc::new(stored.map_or_else(|| drawn(product_id), Picture::from))))
            })
            .await
    }

    /// Gives a product its picture; `false` for a product there is not. Other processes show it within
    /// [`intervals::PICTURE_RELOAD`].
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn put_picture(&self, product_id: ProductId, kind: PictureType, bytes: &[u8]) -> Result<bool, DbError> {
        let picture = StoredPicture {
            content_type: kind.content_type().to_owned(),
            bytes: bytes.to_vec(),
            sha256: Sha256::digest(bytes).to_vec(),
        };
        let put = self.database.put_picture(product_id, &picture).await;
        self.cache.invalidate(&product_id).await;
        put
    }

    /// Takes a product's own picture away; `false` for a product there is not.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn delete_picture(&self, product_id: ProductId) -> Result<bool, DbError> {
        let deleted = self.database.delete_picture(product_id).await;
        self.cache.invalidate(&product_id).await;
        deleted
    }
}

fn drawn(product_id: ProductId) -> Picture {
    let bytes = draw_picture(product_id).into_bytes();
    let sha256 = Sha256::digest(&bytes).to_vec();
    StoredPicture { content_type: PictureType::Svg.content_type().to_owned(), bytes, sha256 }.into()
}

impl From<StoredPicture> for Picture {
    fn from(stored: StoredPicture) -> Self {
        let hash: String = stored.sha256.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { content_type: stored.content_type, bytes: stored.bytes.into(), etag: format!("\"{hash}\"").into() }
    }
}

#[cfg(test)]
mod tests {
    use super::PictureType;

    #[test]
    fn a_picture_is_what_its_first_bytes_say() {
        assert_eq!(PictureType::of_upload("Image/PNG; x=y"), Some(PictureType::Png));
        assert_eq!(PictureType::of_upload("image/svg+xml"), None, "can hold scripts");
        assert_eq!(PictureType::of_upload("text/html"), None);
        assert!(PictureType::Png.is_type_of(b"\x89PNG\r\n\x1a\n"));
        assert!(!PictureType::Png.is_type_of(b"\xff\xd8\xff\xe0"));
        assert!(PictureType::Webp.is_type_of(b"RIFF\x00\x00\x00\x00WEBPVP8 "));
        for kind in [PictureType::Png, PictureType::Jpeg, PictureType::Webp, PictureType::Avif] {
            assert!(!kind.is_type_of(b"") && !kind.is_type_of(b"<svg onload=alert(1)>"));
        }
    }
}
