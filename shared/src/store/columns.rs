//! How the protocol's words stand in columns, the same on both engines: ids as `uuid` or 16 bytes,
//! moments as `timestamptz` or milliseconds, roles and other words as text.

use protocol::Timestamp;
use serde::de::{DeserializeOwned, IntoDeserializer, value};
use sqlx::{
    Database, Decode, Encode, Postgres, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef},
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef},
};
use time::OffsetDateTime;

/// A moment in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At(pub(crate) Timestamp);

impl From<At> for Timestamp {
    fn from(at: At) -> Self {
        at.0
    }
}

impl Type<Postgres> for At {
    fn type_info() -> PgTypeInfo {
        <OffsetDateTime as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for At {
    fn array_type_info() -> PgTypeInfo {
        <OffsetDateTime as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for At {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode(OffsetDateTime::from(self.0), buffer)
    }
}

impl<'r> Decode<'r, Postgres> for At {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(
            <OffsetDateTime as Decode<Postgres>>::decode(value)?.into(),
        ))
    }
}

impl Type<Sqlite> for At {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }

    fn compatible(column: &SqliteTypeInfo) -> bool {
        <i64 as Type<Sqlite>>::compatible(column)
    }
}

impl Encode<'_, Sqlite> for At {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.0.unix_ms(), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for At {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(Timestamp::from_unix_ms(
            <i64 as Decode<Sqlite>>::decode(value)?,
        )))
    }
}

/// One of the words of an enum, as it stands on the wire too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word<T>(pub(crate) T);

impl<T, D: Database> Type<D> for Word<T>
where
    String: Type<D>,
{
    fn type_info() -> D::TypeInfo {
        <String as Type<D>>::type_info()
    }

    fn compatible(column: &D::TypeInfo) -> bool {
        <String as Type<D>>::compatible(column)
    }
}

impl<'r, T: DeserializeOwned, D: Database> Decode<'r, D> for Word<T>
where
    &'r str: Decode<'r, D>,
{
    fn decode(value: D::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let word = <&str as Decode<'r, D>>::decode(value)?;
        let word = IntoDeserializer::<value::Error>::into_deserializer(word);
        Ok(Self(T::deserialize(word)?))
    }
}
