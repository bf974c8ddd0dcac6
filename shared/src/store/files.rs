//! The rows of files: whose each is, which message took it, and what is to be forgotten. Their content is
//! kept by `files`.
//!
//! A row is there before the content and goes after it, so that nothing is kept of which nobody knows.

use protocol::{
    ErrorCode, FileId, RoomId, Seq, Timestamp, UserId,
    files::{File, FileName},
    rooms::Visibility,
};
use serde::Deserialize;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{
    Result, Store,
    change::RoomChange,
    columns::{At, Word},
    events::count,
    pool::{On, execute, on, within},
};

/// A file that is about to be kept.
#[derive(Debug)]
pub struct NewFile {
    /// Its id.
    pub id: FileId,
    /// Where it may be attached.
    pub room: RoomId,
    /// Who uploads it.
    pub user: UserId,
    /// What they call it.
    pub name: FileName,
    /// What it is, by its content.
    pub mime: String,
    /// Its size in bytes.
    pub size: u64,
    /// Of an image, its pixels.
    pub pixels: Option<(u32, u32)>,
    /// The media type of the small picture, if it has one.
    pub thumbnail: Option<&'static str>,
    /// When it came.
    pub at: Timestamp,
}

impl NewFile {
    /// The file, as people are told of it.
    pub fn file(&self) -> File {
        File {
            id: self.id,
            name: self.name.as_str().to_owned(),
            mime: self.mime.clone(),
            size: self.size,
            width: self.pixels.map(|(width, _)| width),
            height: self.pixels.map(|(_, height)| height),
        }
    }
}

/// A file that somebody may read.
#[derive(Clone, Debug)]
pub struct ReadableFile {
    /// The file.
    pub file: File,
    /// The media type of its small picture, if it has one.
    pub thumbnail: Option<String>,
}

/// Of how many files a statement tells, or forgets.
const AT_ONCE: i64 = 200;

impl Store {
    /// Notes a file whose content is about to be kept. Nobody finds it yet.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn expect_file(&self, new: &NewFile) -> Result<()> {
        execute!(
            self.writer(),
            sqlx::query(
                "insert into files
                    (id, room_id, user_id, name, mime, size, width, height, thumbnail, created_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            )
            .bind(new.id.uuid())
            .bind(new.room.uuid())
            .bind(new.user.uuid())
            .bind(new.name.as_str())
            .bind(&new.mime)
            .bind(i64::try_from(new.size).unwrap_or(i64::MAX))
            .bind(new.pixels.map(|(width, _)| i64::from(width)))
            .bind(new.pixels.map(|(_, height)| i64::from(height)))
            .bind(new.thumbnail)
            .bind(At(new.at))
        )?;
        Ok(())
    }

    /// Notes that the content is kept: from now on the file can be read, and attached to a message.
    ///
    /// # Errors
    /// `file_not_found` when it took so long that the file was given up meanwhile.
    pub async fn keep_file(&self, file: FileId, at: Timestamp) -> Result<()> {
        let kept = execute!(
            self.writer(),
            sqlx::query("update files set stored_at = $2 where id = $1 and dropped_at is null")
                .bind(file.uuid())
                .bind(At(at))
        )?;
        if kept == 0 {
            return Err(ErrorCode::FileNotFound.into());
        }
        Ok(())
    }

    /// A file that `viewer` may read: their own that no message has taken yet, or one of a message that
    /// they may read.
    ///
    /// # Errors
    /// `file_not_found`, and `not_a_member` where the room may be known of.
    pub async fn file(&self, file: FileId, viewer: UserId) -> Result<ReadableFile> {
        let row: Option<FileRow> = on!(self.reader(), pool => sqlx::query_as(
            "select f.id, f.user_id, f.name, f.mime, f.size, f.width, f.height, f.thumbnail, f.seq,
                r.visibility, m.first_seq
             from files f
             join rooms r on r.id = f.room_id and r.deleted_at is null
             left join members m on m.room_id = f.room_id and m.user_id = $2
             where f.id = $1 and f.stored_at is not null and f.dropped_at is null",
        ).bind(file.uuid()).bind(viewer.uuid()).fetch_optional(pool))?;
        let row = row.ok_or(ErrorCode::FileNotFound)?;
        match (row.first_seq, row.seq) {
            (None, _) if row.visibility.0.is_listed() => Err(ErrorCode::NotAMember.into()),
            (Some(first), Some(seq)) if first <= seq => Ok(row.readable()),
            (Some(_), None) if row.user_id == viewer.uuid() => Ok(row.readable()),
            _ => Err(ErrorCode::FileNotFound.into()),
        }
    }

    /// Gives up files that no message has taken since `before`. Answers how many.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn drop_unsent_files(&self, before: Timestamp, at: Timestamp) -> Result<u64> {
        execute!(
            self.writer(),
            sqlx::query(
                "update files set dropped_at = $2
                 where seq is null and dropped_at is null and created_at < $1",
            )
            .bind(At(before))
            .bind(At(at))
        )
    }

    /// Gives up one file that could not be kept.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn drop_file(&self, file: FileId, at: Timestamp) -> Result<()> {
        execute!(
            self.writer(),
            sqlx::query("update files set dropped_at = $2 where id = $1 and seq is null")
                .bind(file.uuid())
                .bind(At(at))
        )?;
        Ok(())
    }

    /// Gives up the files of deleted rooms that nobody can restore any more. Answers how many.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn drop_files_of_deleted_rooms(&self, at: Timestamp) -> Result<u64> {
        execute!(
            self.writer(),
            sqlx::query(
                "update files set dropped_at = $1
                 where dropped_at is null and room_id in (
                    select id from rooms
                    where deleted_at is not null and (restorable_until is null or restorable_until <= $1)
                 )",
            )
            .bind(At(at))
        )
    }

    /// Some files whose content nobody finds any more, those that were given up first at the front.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn dropped_files(&self) -> Result<Vec<FileId>> {
        let rows: Vec<Uuid> = on!(self.reader(), pool => sqlx::query_scalar(
            "select id from files where dropped_at is not null order by dropped_at limit $1",
        ).bind(AT_ONCE).fetch_all(pool))?;
        Ok(rows.into_iter().map(FileId::from_uuid).collect())
    }

    /// Forgets files that were given up and whose content is gone.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn forget_files(&self, files: &[FileId]) -> Result<()> {
        let ids: Vec<Uuid> = files.iter().map(|file| file.uuid()).collect();
        match self.writer() {
            On::Postgres(pool) => {
                let forgotten =
                    sqlx::query("delete from files where id = any ($1) and dropped_at is not null")
                        .bind(ids)
                        .execute(pool);
                within(forgotten).await?;
            }
            On::Sqlite(pool) => {
                let forgotten = sqlx::query(
                    "delete from files
                     where id in (select unhex(value, '-') from json_each($1)) and dropped_at is not null",
                )
                .bind(Json(ids))
                .execute(pool);
                within(forgotten).await?;
            }
        }
        Ok(())
    }
}

impl RoomChange {
    /// What is attached to a message.
    pub(super) async fn files(&mut self, seq: Seq) -> Result<Vec<File>> {
        let (room, seq) = (self.room.id(), seq.to_i64());
        let files: Option<Json<Named>> = on!(self.transaction.connection(), connection => sqlx::query_scalar(
            "select data from events where room_id = $1 and seq = $2",
        ).bind(room.uuid()).bind(seq).fetch_one(connection))?;
        Ok(files.map(|named| named.0.files).unwrap_or_default())
    }

    /// Gives up what is attached to a message.
    pub(super) async fn drop_files(&mut self, seq: Seq) -> Result<()> {
        execute!(
            self.transaction.connection(),
            sqlx::query(
                "update files set dropped_at = $3
                 where room_id = $1 and seq = $2 and dropped_at is null"
            )
            .bind(self.room.id().uuid())
            .bind(seq.to_i64())
            .bind(At(self.at))
        )?;
        Ok(())
    }
}

/// What a message says of its files, among other things.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    files: Vec<File>,
}

#[derive(FromRow)]
struct FileRow {
    id: Uuid,
    user_id: Uuid,
    name: String,
    mime: String,
    size: i64,
    width: Option<i64>,
    height: Option<i64>,
    thumbnail: Option<String>,
    seq: Option<i64>,
    visibility: Word<Visibility>,
    first_seq: Option<i64>,
}

impl FileRow {
    fn readable(self) -> ReadableFile {
        ReadableFile {
            file: File {
                id: FileId::from_uuid(self.id),
                name: self.name,
                mime: self.mime,
                size: Seq::from_i64(self.size).0,
                width: self.width.map(count),
                height: self.height.map(count),
            },
            thumbnail: self.thumbnail,
        }
    }
}
