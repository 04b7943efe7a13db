//! Pictures of products.

use super::{Database, DbError};
use crate::domain::ProductId;

/// A product's own picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPicture {
    pub content_type: String,
    pub bytes: Vec<u8>,
    /// Of `bytes`.
    pub sha256: Vec<u8>,
}

impl Database {
    /// `None` for a product there is not, `Some(None)` for one without a picture of its own.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn find_picture(&self, product_id: ProductId) -> Result<Option<Option<StoredPicture>>, DbError> {
        let rows =
            self.query("select content_type, bytes, sha256 from flashsale.find_picture($1)", &[&product_id]).await?;
        Ok(rows.first().map(|row| {
            let content_type: Option<String> = row.get(0);
            content_type.map(|content_type| StoredPicture { content_type, bytes: row.get(1), sha256: row.get(2) })
        }))
    }

    /// `false` for a product there is not.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn put_picture(&self, product_id: ProductId, picture: &StoredPicture) -> Result<bool, DbError> {
        let row = self
            .query_one(
                "select flashsale.put_picture($1, $2, $3, $4)",
                &[&product_id, &picture.content_type, &picture.bytes, &picture.sha256],
            )
            .await?;
        Ok(row.get(0))
    }

    /// `false` for a product there is not.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn delete_picture(&self, product_id: ProductId) -> Result<bool, DbError> {
        Ok(self.query_one("select flashsale.delete_picture($1)", &[&product_id]).await?.get(0))
    }
}
