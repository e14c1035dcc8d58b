/*
 * The part of OpenSSL's interface that libpq uses. The functions are in ../../src.
 * Constants have OpenSSL's values where libpq or a protocol knows them.
 */
#ifndef LIBPQ_TLS_SSL_H
#define LIBPQ_TLS_SSL_H

#include <stddef.h>

/* libpq then leaves out keys on hardware. */
#define OPENSSL_NO_ENGINE

#define TLS1_VERSION 0x0301
#define TLS1_1_VERSION 0x0302
#define TLS1_2_VERSION 0x0303
#define TLS1_3_VERSION 0x0304

typedef struct libpq_tls_context SSL_CTX;
/* The roots and revocation lists are in the context. */
typedef struct libpq_tls_context X509_STORE;
typedef struct libpq_tls_session SSL;
typedef struct libpq_tls_method SSL_METHOD;
typedef struct libpq_tls_bio BIO;
typedef struct libpq_tls_bio_method BIO_METHOD;
typedef struct libpq_tls_certificate X509;
typedef struct libpq_tls_subject X509_NAME;
typedef struct libpq_tls_subject_entry X509_NAME_ENTRY;
typedef struct libpq_tls_store_context X509_STORE_CTX;
typedef struct libpq_tls_string ASN1_STRING;
typedef struct libpq_tls_string ASN1_OCTET_STRING;
typedef struct libpq_tls_digest EVP_MD;
typedef struct libpq_tls_digest_context EVP_MD_CTX;
typedef struct libpq_tls_hmac_context HMAC_CTX;
typedef struct libpq_tls_engine ENGINE;

/* Errors: a queue of one for each thread. */
#define ERR_LIB_SSL 20
#define ERR_GET_LIB(code) ((int) (((code) >> 23) & 0xff))
#define ERR_GET_REASON(code) ((int) ((code) & 0x7fffff))
unsigned long ERR_get_error(void);
void ERR_clear_error(void);
const char *ERR_reason_error_string(unsigned long code);

#define SSL_ERROR_NONE 0
#define SSL_ERROR_SSL 1
#define SSL_ERROR_WANT_READ 2
#define SSL_ERROR_WANT_WRITE 3
#define SSL_ERROR_SYSCALL 5
#define SSL_ERROR_ZERO_RETURN 6

/* After these, libpq names the versions of TLS that were offered. */
#define SSL_R_BAD_PROTOCOL_VERSION_NUMBER 116
#define SSL_R_NO_PROTOCOLS_AVAILABLE 191
#define SSL_R_UNKNOWN_PROTOCOL 252
#define SSL_R_UNKNOWN_SSL_VERSION 254
#define SSL_R_UNSUPPORTED_PROTOCOL 258
#define SSL_R_UNSUPPORTED_SSL_VERSION 259
#define SSL_R_WRONG_SSL_VERSION 266
#define SSL_R_WRONG_VERSION_NUMBER 267
#define SSL_R_TLSV1_ALERT_PROTOCOL_VERSION 1070

/* The context: versions, roots, revocation lists, the client's certificate. */
#define SSL_OP_NO_SSLv2 0
#define SSL_OP_NO_SSLv3 0
#define SSL_OP_NO_COMPRESSION 0
#define SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER 0
#define SSL_CTX_set_options(context, options) ((void) (context))
#define SSL_CTX_set_mode(context, mode) ((void) (context))
#define SSL_set_options(session, options) ((void) (session))
#define SSL_clear_options(session, options) ((void) (session))
/* Encrypted keys are refused, so the function that asks for their password is not needed. */
#define SSL_CTX_set_default_passwd_cb(context, function) ((void) (function))
#define SSL_CTX_set_default_passwd_cb_userdata(context, data) ((void) (data))
const SSL_METHOD *SSLv23_method(void);
SSL_CTX *SSL_CTX_new(const SSL_METHOD *method);
void SSL_CTX_free(SSL_CTX *context);
int SSL_CTX_set_min_proto_version(SSL_CTX *context, int version);
int SSL_CTX_set_max_proto_version(SSL_CTX *context, int version);
void SSL_CTX_set_cert_cb(SSL_CTX *context, int (*function) (SSL *session, void *data), void *data);
int SSL_CTX_set_default_verify_paths(SSL_CTX *context);
int SSL_CTX_load_verify_locations(SSL_CTX *context, const char *file, const char *folder);
int SSL_CTX_use_certificate_chain_file(SSL_CTX *context, const char *file);
X509_STORE *SSL_CTX_get_cert_store(SSL_CTX *context);
#define X509_V_FLAG_CRL_CHECK 0x4
#define X509_V_FLAG_CRL_CHECK_ALL 0x8
int X509_STORE_load_locations(X509_STORE *store, const char *file, const char *folder);
/* Revocation lists that were loaded are always checked. */
#define X509_STORE_set_flags(store, flags) ((void) (store))

/* A session: one connection. */
#define SSL_FILETYPE_PEM 1
#define SSL_FILETYPE_ASN1 2
#define SSL_VERIFY_PEER 1
#define SSL_set_app_data(session, data) ((session) != NULL && (data) != NULL)
#define SSL_get_read_ahead(session) 0
SSL *SSL_new(SSL_CTX *context);
void SSL_free(SSL *session);
void SSL_set_bio(SSL *session, BIO *reader, BIO *writer);
int SSL_set_tlsext_host_name(SSL *session, const char *host);
int SSL_set_alpn_protos(SSL *session, const unsigned char *protocols, unsigned int length);
int SSL_use_PrivateKey_file(SSL *session, const char *file, int type);
int SSL_check_private_key(SSL *session);
void SSL_set_verify(SSL *session, int mode, int (*function) (int ok, X509_STORE_CTX *context));
int SSL_connect(SSL *session);
int SSL_read(SSL *session, void *buffer, int length);
int SSL_write(SSL *session, const void *buffer, int length);
int SSL_pending(SSL *session);
int SSL_shutdown(SSL *session);
int SSL_get_error(SSL *session, int result);
X509 *SSL_get_certificate(SSL *session);
X509 *SSL_get_peer_certificate(SSL *session);
void SSL_get0_alpn_selected(SSL *session, const unsigned char **protocol, unsigned int *length);
const char *SSL_get_cipher(SSL *session);
const char *SSL_get_version(SSL *session);
int SSL_get_cipher_bits(SSL *session, int *bits);
#define SSL_get_current_compression(session) NULL
/* The reason is in the error itself. */
#define X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY 20
#define SSL_get_verify_result(session) 0
#define X509_verify_cert_error_string(code) ""

/* How a session reads and writes: by functions of libpq. */
#define BIO_TYPE_SOURCE_SINK 0x0400
#define BIO_CTRL_EOF 2
#define BIO_CTRL_FLUSH 11
#define BIO_get_new_index() 128
#define BIO_meth_set_ctrl(method, function) ((void) (function), 1)
#define BIO_set_init(bio, init) ((void) (bio))
BIO_METHOD *BIO_meth_new(int type, const char *name);
void BIO_meth_free(BIO_METHOD *method);
int BIO_meth_set_write(BIO_METHOD *method, int (*function) (BIO *bio, const char *data, int length));
int BIO_meth_set_read(BIO_METHOD *method, int (*function) (BIO *bio, char *buffer, int length));
BIO *BIO_new(const BIO_METHOD *method);
void BIO_set_data(BIO *bio, void *data);
void *BIO_get_data(BIO *bio);
void BIO_clear_retry_flags(BIO *bio);
void BIO_set_retry_read(BIO *bio);
void BIO_set_retry_write(BIO *bio);

/* The server's certificate. */
#define NID_undef 0
#define NID_md5 4
#define NID_commonName 13
#define NID_sha1 64
#define NID_subject_alt_name 85
#define GEN_DNS 2
#define GEN_IPADD 7
typedef struct
{
	int			type;
	union
	{
		ASN1_STRING *dNSName;
		ASN1_OCTET_STRING *iPAddress;
	}			d;
} GENERAL_NAME;
#define STACK_OF(type) struct libpq_tls_stack_of_##type
STACK_OF(GENERAL_NAME);
void X509_free(X509 *certificate);
int X509_digest(const X509 *certificate, const EVP_MD *digest, unsigned char *out, unsigned int *length);
int X509_get_signature_info(X509 *certificate, int *digest, int *key, int *bits, unsigned int *flags);
void *X509_get_ext_d2i(const X509 *certificate, int extension, int *critical, int *index);
int sk_GENERAL_NAME_num(const STACK_OF(GENERAL_NAME) *names);
const GENERAL_NAME *sk_GENERAL_NAME_value(const STACK_OF(GENERAL_NAME) *names, int index);
void GENERAL_NAME_free(GENERAL_NAME *name);
void sk_GENERAL_NAME_pop_free(STACK_OF(GENERAL_NAME) *names, void (*function) (GENERAL_NAME *name));
const X509_NAME *X509_get_subject_name(const X509 *certificate);
int X509_NAME_get_index_by_NID(X509_NAME *subject, int kind, int after);
const X509_NAME_ENTRY *X509_NAME_get_entry(const X509_NAME *subject, int index);
const ASN1_STRING *X509_NAME_ENTRY_get_data(const X509_NAME_ENTRY *entry);
const unsigned char *ASN1_STRING_get0_data(const ASN1_STRING *string);
int ASN1_STRING_length(const ASN1_STRING *string);

/* Hashes, for SCRAM and the old authentication by MD5. libpq uses no others. */
#define EVP_MAX_MD_SIZE 64
const EVP_MD *EVP_md5(void);
const EVP_MD *EVP_sha256(void);
const EVP_MD *EVP_sha384(void);
const EVP_MD *EVP_sha512(void);
#define EVP_sha1() NULL
#define EVP_sha224() NULL
const EVP_MD *EVP_get_digestbynid(int digest);
#define OBJ_nid2sn(digest) "of the certificate's signature"
EVP_MD_CTX *EVP_MD_CTX_create(void);
void EVP_MD_CTX_destroy(EVP_MD_CTX *context);
int EVP_DigestInit_ex(EVP_MD_CTX *context, const EVP_MD *digest, ENGINE *engine);
int EVP_DigestUpdate(EVP_MD_CTX *context, const void *data, size_t length);
int EVP_DigestFinal_ex(EVP_MD_CTX *context, unsigned char *out, unsigned int *length);
HMAC_CTX *HMAC_CTX_new(void);
void HMAC_CTX_free(HMAC_CTX *context);
int HMAC_Init_ex(HMAC_CTX *context, const void *key, int length, const EVP_MD *digest, ENGINE *engine);
int HMAC_Update(HMAC_CTX *context, const unsigned char *data, size_t length);
int HMAC_Final(HMAC_CTX *context, unsigned char *out, unsigned int *length);

#define RAND_status() 1
#define RAND_poll() 1
int RAND_bytes(unsigned char *out, int length);
int CRYPTO_memcmp(const void *a, const void *b, size_t length);

#endif
