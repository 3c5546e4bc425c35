//! The macros that declare options, results and words.

/// The length of `snake` in camel case.
pub(crate) const fn camel_length(snake: &str) -> usize {
    let (bytes, mut index, mut length) = (snake.as_bytes(), 0, 0);
    while index < bytes.len() {
        length += (bytes[index] != b'_') as usize;
        index += 1;
    }
    length
}

/// `max_new_tokens` to `maxNewTokens`.
pub(crate) const fn camel_case<const N: usize>(snake: &str) -> [u8; N] {
    let bytes = snake.as_bytes();
    let (mut camel, mut index, mut length) = ([0; N], 0, 0);
    while index < bytes.len() {
        if bytes[index] != b'_' {
            let starts_word = index > 0 && bytes[index - 1] == b'_';
            camel[length] =
                if starts_word { bytes[index].to_ascii_uppercase() } else { bytes[index] };
            length += 1;
        }
        index += 1;
    }
    camel
}

/// A name in camel case, at compile time; another name, if one is given.
macro_rules! camel {
    ($snake:ident) => {{
        const SNAKE: &str = stringify!($snake);
        const CAMEL: [u8; $crate::wire::camel_length(SNAKE)] = $crate::wire::camel_case(SNAKE);
        const NAME: &str = match core::str::from_utf8(&CAMEL) {
            Ok(name) => name,
            Err(_) => SNAKE,
        };
        NAME
    }};
    ($snake:ident $name:literal) => {
        $name
    };
}
pub(crate) use camel;

/// Declares options: a struct, how it is read from JavaScript, and its TypeScript interface.
///
/// ```ignore
/// options! {
///     /// How to choose tokens.
///     #[derive(Debug, Clone)]
///     pub struct GenerateOptions { // or `GenerateOptions as "Name"`, for another name in TypeScript
///         /// A default, as in Rust's RFC 3681: JavaScript may leave the option out.
///         pub max_new_tokens: usize = 20,
///         /// An `Option` may be left out too.
///         pub top_k: Option<usize>,
///         /// All others are required. This one is read, and typed, as another type.
///         pub prompt: Vec<u32> as Prompt,
///         /// Another name in JavaScript.
///         pub action: Action => "do",
///         /// The fields of another such struct, in the same object.
///         ..pub metric: Metric,
///     } with {
///         /// Not an option: `Default::default()` until Rust sets it.
///         pub compiler: Option<Compiler>,
///     }
/// }
/// ```
macro_rules! options {
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($derive:path),* $(,)?)])?
        $(#[serde($($serde:tt)*)])?
        pub struct $type:ident $(as $typescript:literal)? {
            $(
                $(#[doc = $field_doc:literal])*
                $(#[serde($($field_serde:tt)*)])?
                pub $field:ident: $field_type:ty $(as $wire:ty)? $(= $default:expr)? $(=> $name:literal)?,
            )*
            $(..pub $part:ident: $part_type:ty,)*
        }
        $(with { $($(#[doc = $own_doc:literal])* pub $own:ident: $own_type:ty,)* })?
    ) => {
        $(#[doc = $doc])*
        $(#[derive($($derive),*)])?
        $(#[serde($($serde)*)])?
        pub struct $type {
            $($(#[doc = $field_doc])* $(#[serde($($field_serde)*)])? pub $field: $field_type,)*
            $(
                #[doc = concat!("More of the options: the fields of [`", stringify!($part_type), "`].")]
                pub $part: $part_type,
            )*
            $($($(#[doc = $own_doc])* pub $own: $own_type,)*)?
        }

        impl $crate::wire::Fields for $type {
            fn names(names: &mut Vec<&'static str>) {
                $(<$part_type as $crate::wire::Fields>::names(names);)*
                names.extend([$($crate::wire::camel!($field $($name)?)),*] as [&str; { [$(stringify!($field)),*].len() }]);
            }

            fn read(object: &$crate::wire::Object) -> $crate::error::Result<Self> {
                Ok($type {
                    $($field: $crate::wire::options!(
                        @read object, $crate::wire::camel!($field $($name)?), [$field_type $(as $wire)?] $(= $default)?
                    ),)*
                    $($part: <$part_type as $crate::wire::Fields>::read(object)?,)*
                    $($($own: Default::default(),)*)?
                })
            }

            fn describe(interface: &mut $crate::wire::Interface, types: &mut $crate::wire::TypeScript) {
                $(<$part_type as $crate::wire::Fields>::describe(interface, types);)*
                $($crate::wire::options!(
                    @describe interface, types, [$($field_doc),*], $crate::wire::camel!($field $($name)?),
                    [$field_type $(as $wire)?] $(= $default)?
                );)*
                let _ = (interface, types);
            }
        }

        impl $crate::wire::FromValue for $type {
            fn from_value(node: $crate::wire::Node) -> $crate::error::Result<Self> {
                let mut names = Vec::with_capacity(16);
                <$type as $crate::wire::Fields>::names(&mut names);
                let expected = <$type as $crate::wire::FromValue>::singular;
                <$type as $crate::wire::Fields>::read(&node.object(&names, expected)?)
            }

            fn singular() -> String {
                let mut names = Vec::new();
                <$type as $crate::wire::Fields>::names(&mut names);
                format!("an object with {}", names.join(", "))
            }

            fn plural() -> String {
                let mut names = Vec::new();
                <$type as $crate::wire::Fields>::names(&mut names);
                format!("objects with {}", names.join(", "))
            }

            fn typescript(types: &mut $crate::wire::TypeScript) -> String {
                let name = [$($typescript,)? stringify!($type)][0];
                types.interface(name, &[$($doc),*], <$type as $crate::wire::Fields>::describe)
            }
        }
    };
    (@read $object:ident, $name:expr, $wire:tt) => {
        $crate::wire::options!(@call $object, field, $name, $wire)
    };
    (@read $object:ident, $name:expr, $wire:tt = $default:expr) => {
        $crate::wire::options!(@call $object, given, $name, $wire).unwrap_or_else(|| $default)
    };
    (@call $object:ident, $method:ident, $name:expr, [$type:ty]) => {
        $object.$method::<$type, $type>($name)?
    };
    (@call $object:ident, $method:ident, $name:expr, [$type:ty as $wire:ty]) => {
        $object.$method::<$type, $wire>($name)?
    };
    (@describe $interface:ident, $types:ident, $docs:tt, $name:expr, [$type:ty]) => {
        $crate::wire::options!(@describe $interface, $types, $docs, $name, [$type as $type])
    };
    (@describe $interface:ident, $types:ident, $docs:tt, $name:expr, [$type:ty] = $default:expr) => {
        $crate::wire::options!(@describe $interface, $types, $docs, $name, [$type as $type] = $default)
    };
    (@describe $interface:ident, $types:ident, $docs:tt, $name:expr, [$type:ty as $wire:ty]) => {
        let is_optional = <$wire as $crate::wire::ReadAs<$type>>::when_absent().is_some();
        let type_name = <$wire as $crate::wire::ReadAs<$type>>::typescript_as($types);
        $interface.field(&$docs, $name, is_optional, &type_name, None)
    };
    (@describe $interface:ident, $types:ident, $docs:tt, $name:expr, [$type:ty as $wire:ty] = $default:expr) => {
        let default: $type = $default;
        let literal = <$wire as $crate::wire::ReadAs<$type>>::literal_of(&default);
        let type_name = <$wire as $crate::wire::ReadAs<$type>>::typescript_as($types);
        $interface.field(&$docs, $name, true, &type_name, literal)
    };
}
pub(crate) use options;

/// Reads a type from the same object as its options, by `TryFrom`: `checked!(Objective: Metric)`.
macro_rules! checked {
    ($type:ty: $options:ty) => {
        impl $crate::wire::Fields for $type {
            fn names(names: &mut Vec<&'static str>) {
                <$options as $crate::wire::Fields>::names(names);
            }

            fn read(object: &$crate::wire::Object) -> $crate::error::Result<Self> {
                <$options as $crate::wire::Fields>::read(object)?.try_into()
            }

            fn describe(
                interface: &mut $crate::wire::Interface,
                types: &mut $crate::wire::TypeScript,
            ) {
                <$options as $crate::wire::Fields>::describe(interface, types);
            }
        }

        impl $crate::wire::FromValue for $type {
            fn from_value(node: $crate::wire::Node) -> $crate::error::Result<Self> {
                <$options as $crate::wire::FromValue>::from_value(node)?.try_into()
            }

            fn singular() -> String {
                <$options as $crate::wire::FromValue>::singular()
            }

            fn typescript(types: &mut $crate::wire::TypeScript) -> String {
                <$options as $crate::wire::FromValue>::typescript(types)
            }
        }
    };
}
pub(crate) use checked;

/// Declares a result: a struct, its conversion to a [`Value`](crate::Value), and its TypeScript interface.
/// A field `Option<T>` is left out if there is none. With `as snake_case`, fields keep their names, and it is `null`.
macro_rules! results {
    ($(#[$($attribute:tt)*])* pub struct $type:ident { $($fields:tt)* }) => {
        $crate::wire::results! { @ camel $(#[$($attribute)*])* pub struct $type { $($fields)* } }
    };
    ($(#[$($attribute:tt)*])* pub struct $type:ident as snake_case { $($fields:tt)* }) => {
        $crate::wire::results! { @ snake_case $(#[$($attribute)*])* pub struct $type { $($fields)* } }
    };
    (
        @ $case:ident
        $(#[doc = $doc:literal])*
        $(#[derive($($derive:path),* $(,)?)])?
        pub struct $type:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $(#[serde($($field_serde:tt)*)])?
                pub $field:ident: $field_type:ty,
            )*
        }
    ) => {
        $(#[doc = $doc])*
        $(#[derive($($derive),*)])?
        pub struct $type {
            $($(#[doc = $field_doc])* $(#[serde($($field_serde)*)])? pub $field: $field_type,)*
        }

        impl $crate::wire::IntoValue for $type {
            fn into_value(self) -> $crate::wire::Value {
                let fields = [$($crate::wire::result_field!($case $field self.$field),)*];
                $crate::wire::Value::Object(fields.into_iter().flatten().collect())
            }

            fn typescript(types: &mut $crate::wire::TypeScript) -> String {
                types.interface(stringify!($type), &[$($doc),*], |interface, types| {
                    $($crate::wire::result_field!(
                        $case $field: $field_type, interface, types, [$($field_doc),*]
                    );)*
                })
            }
        }
    };
}
pub(crate) use results;

/// A field of a result, and its TypeScript type, in one of the two cases.
macro_rules! result_field {
    (camel $field:ident $value:expr) => {
        $crate::wire::IntoValue::into_field($value)
            .map(|value| ($crate::wire::camel!($field).into(), value))
    };
    (snake_case $field:ident $value:expr) => {
        Some((stringify!($field).into(), $crate::wire::IntoValue::into_value($value)))
    };
    (camel $field:ident: $type:ty, $interface:ident, $types:ident, $docs:tt) => {
        let type_name = <$type as $crate::wire::IntoValue>::typescript($types);
        let is_optional = <$type as $crate::wire::IntoValue>::OPTIONAL;
        $interface.field(&$docs, $crate::wire::camel!($field), is_optional, &type_name, None)
    };
    (snake_case $field:ident: $type:ty, $interface:ident, $types:ident, $docs:tt) => {
        let type_name = <$type as $crate::wire::IntoValue>::typescript($types);
        let null = if <$type as $crate::wire::IntoValue>::OPTIONAL { " | null" } else { "" };
        $interface.field(&$docs, stringify!($field), false, &format!("{type_name}{null}"), None)
    };
}
pub(crate) use result_field;

/// Declares an enum whose variants are texts in JavaScript.
macro_rules! words {
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($derive:path),* $(,)?)])?
        $(#[serde($($serde:tt)*)])?
        pub enum $type:ident {
            $($(#[doc = $variant_doc:literal])* $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[doc = $doc])*
        $(#[derive($($derive),*)])?
        $(#[serde($($serde)*)])?
        pub enum $type {
            $($(#[doc = $variant_doc])* $variant,)*
        }

        impl $type {
            /// The text in JavaScript.
            pub fn word(&self) -> &'static str {
                match self {
                    $($type::$variant => $word,)*
                }
            }
        }

        impl $crate::wire::FromValue for $type {
            fn from_value(node: $crate::wire::Node) -> $crate::error::Result<Self> {
                match node.text() {
                    $(Some($word) => Ok($type::$variant),)*
                    _ => Err(node.expected(<$type as $crate::wire::FromValue>::singular())),
                }
            }

            fn singular() -> String {
                $crate::wire::alternatives(&[$($word),*])
            }

            fn typescript(_: &mut $crate::wire::TypeScript) -> String {
                [$($word),*].map(|word| format!("\"{word}\"")).join(" | ")
            }

            fn literal(&self) -> Option<String> {
                Some(format!("\"{}\"", self.word()))
            }
        }

        impl $crate::wire::IntoValue for $type {
            fn into_value(self) -> $crate::wire::Value {
                $crate::wire::Value::Text(self.word().into())
            }

            fn typescript(types: &mut $crate::wire::TypeScript) -> String {
                <$type as $crate::wire::FromValue>::typescript(types)
            }
        }
    };
}
pub(crate) use words;

/// `"q", "k" or "v"`.
pub(crate) fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
