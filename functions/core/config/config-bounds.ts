/**
 * How much a document may ask for. Prometheus has no such bounds, since its operator owns its memory; here one document
 * too large would take down what all the others want.
 */
import { DEFAULT_BODY_SIZE_LIMIT_BYTES, DEFAULT_SAMPLE_LIMIT } from '../targets.ts';

/** UTF-8 bytes of one document. An SSM parameter holds 4 or 8 KB; a file of the local run may be a whole Prometheus'. */
export const MAX_DOCUMENT_BYTES = 1024 * 1024;
/** Bytes of all documents together: 1,000 SSM parameters of 8 KB. */
export const MAX_ALL_DOCUMENTS_BYTES = 8 * 1024 * 1024;
/** Documents of one deployment: dispatch reads ten at a time from SSM, and has a minute. */
export const MAX_DOCUMENTS = 1_000;
/** Jobs of all documents: one per document and some to spare. */
export const MAX_JOBS = 1_000;
/** Targets written in all documents, before relabelling: the size of deployment this product is made for. */
export const MAX_STATIC_TARGETS = 10_000;
/** Rules of one list: each metric rule is tried on each sample, up to 50,000 a page. */
export const MAX_RELABEL_RULES = 200;
/** `source_labels` of one rule; Prometheus keeps 16 without allocating. */
export const MAX_SOURCE_LABELS = 64;
/** DNS names of one job: each is a look-up at each refresh. */
export const MAX_DNS_NAMES = 100;
/** Namespaces of one entry of kubernetes_sd_configs: each is a list of its own. */
export const MAX_NAMESPACES = 50;
/** Entries of one `..._sd_configs`: each is asked at each refresh. */
export const MAX_DISCOVERIES = 20;
/** Labels of one target group: Dynatrace takes 50 dimensions, some of them the page's own. */
export const MAX_GROUP_LABELS = 64;
/** Query parameters of one job, and values of one parameter: a URL of some KB. */
export const MAX_PARAMS = 64;
/** Headers of one job, and values of one header: servers refuse requests with more than about 100. */
export const MAX_HEADERS = 32;
/** Static attributes of one job: beside ours they leave room for 23 labels among Dynatrace's 50 dimensions. */
export const MAX_ATTRIBUTES = 20;
/** Characters of a value: the longest SSM parameter. */
export const MAX_TEXT_LENGTH = 8_192;
/** Characters of a certificate written in a document: a chain of several. It travels in each queue message. */
export const MAX_CERTIFICATE_LENGTH = 16_384;
/** Characters of a job's name: it is a part of each target's key, of at most 2,048. */
export const MAX_JOB_NAME_LENGTH = 256;
/** Characters of a DNS name (RFC 1035, in text). */
export const MAX_DNS_NAME_LENGTH = 253;
/**
 * Samples of one page: the default is the maximum, since a baseline with something pending on each of them just fits
 * its DynamoDB item.
 */
export const MAX_SAMPLE_LIMIT = DEFAULT_SAMPLE_LIMIT;
/**
 * Bytes of one page: the default is the maximum. 48 pages are fetched at once: 384 MiB, and no more would leave room in a
 * function of 512 MB.
 */
export const MAX_BODY_SIZE_LIMIT_BYTES = DEFAULT_BODY_SIZE_LIMIT_BYTES;
/** Names under `include`, and under `exclude`: each is tried on each new series, and they stay with what a target owes. */
export const MAX_NAME_PATTERNS = 32;
/** Characters of one of them: the longest metric key. */
export const MAX_NAME_PATTERN_LENGTH = 255;
/** The schedule's shortest interval; and what a dashboard's last hour still shows. */
export const MIN_HEARTBEAT_MS = 60_000;
export const MAX_HEARTBEAT_MS = 3_600_000;
/** More than any exporter's histogram has. */
export const MAX_MERGED_BUCKETS = 1_000;
/** Points of one target: no page has more samples. */
export const MAX_POINTS_BUDGET = MAX_SAMPLE_LIMIT;
/** Problems, and notes, named of one document: all that a person corrects in one go; a pasted essay need not fill the log. */
export const MAX_NAMED_FINDINGS = 20;
