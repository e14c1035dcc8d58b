// @generated automatically by Diesel CLI.

diesel::table! {
    revocations (id) {
        id -> BigInt,
        user_id -> BigInt,
        created_at -> BigInt,
        deed -> Text,
    }
}

diesel::table! {
    sessions (key_hash) {
        key_hash -> Text,
        user_id -> BigInt,
        created_at -> BigInt,
        renewed_at -> BigInt,
        seen_at -> Nullable<BigInt>,
        address -> Text,
        user_agent -> Text,
    }
}

diesel::table! {
    settings (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    tokens (id) {
        id -> BigInt,
        user_id -> BigInt,
        key_hash -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        seen_at -> Nullable<BigInt>,
        address -> Text,
        user_agent -> Text,
    }
}

diesel::table! {
    users (id) {
        id -> BigInt,
        username -> Text,
        username_key -> Text,
        password -> Text,
        email -> Text,
        first_name -> Text,
        last_name -> Text,
        avatar_url -> Text,
        name_key -> Text,
        email_key -> Text,
        is_active -> Bool,
        is_staff -> Bool,
        created_at -> BigInt,
        last_seen -> Nullable<BigInt>,
        feed -> BigInt,
        is_registered -> Bool,
        is_guest -> Bool,
    }
}

diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(tokens -> users (user_id));

diesel::allow_tables_to_appear_in_same_query!(revocations, sessions, settings, tokens, users,);
