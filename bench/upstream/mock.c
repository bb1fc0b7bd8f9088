/* A mock OpenAI-compatible upstream that costs less than anything measured against it.
 *
 * One thread, epoll, HTTP/1.1 with keep-alive, answers made once and sent from static memory.
 * The prompt steers the answer, because every gateway passes the prompt on unchanged:
 *   #tokens=N   the answer has N tokens (default 16), each " lorem" and a letter that changes
 *               from token to token, because some gateways end a stream that repeats itself
 *   #pace=MS    a streamed token every MS milliseconds; absent or 0: as fast as the reader reads
 *   #embed=NxD  an embedding answer of N vectors of D dimensions (default 1x8)
 * POST .../chat/completions and Anthropic's .../v1/messages (whole, or SSE where the body says
 * "stream": true),
 * POST .../embeddings ("encoding_format": "base64" honoured), GET .../models, GET /stats.
 * Listens on 127.0.0.1 and prints the port that the kernel chose.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TOKENS_PER_WRITE = 16, LETTERS = 16, WHEEL_MS = 4096, MAX_REQUEST = 64 << 20, EVENTS = 256 };

struct connection {
    int fd;
    char *in;                 /* request bytes read so far */
    size_t in_len, in_cap;
    const char *out;          /* bytes being sent; static memory or own */
    size_t out_len;
    char *own;                /* answer made for this connection alone, freed when sent */
    enum { IDLE, WHOLE, STREAM, STREAM_END } state;
    long tokens, owed, later; /* of this answer; to send now; not yet released by the clock */
    long sent;
    int pace_ms;
    bool usage, messages;     /* counts the tokens at the end; speaks Anthropic's Messages */
    struct connection *next, **link; /* place in the timer wheel; link is NULL outside it */
};

static int poller;
static struct connection *wheel[WHEEL_MS];
static long tick, waiting, open_connections, requests;
static char *token_blocks[2], *embedding, *embedding_key; /* OpenAI's and Anthropic's tokens */
static size_t token_lens[2], embedding_len;

static const char STREAM_HEAD[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
#define EVENT(delta, finish)                                                             \
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\","             \
    "\"created\":1700000000,\"model\":\"mock\",\"system_fingerprint\":\"fp_bench\","     \
    "\"choices\":[{\"index\":0,\"delta\":" delta ",\"logprobs\":null,"                   \
    "\"finish_reason\":" finish "}]}\n\n"
static const char ROLE[] = EVENT("{\"role\":\"assistant\",\"content\":\"\"}", "null");
static const char TOKEN[] = EVENT("{\"content\":\" lorem%c\"}", "null");
static const char FINISH[] = EVENT("{}", "\"stop\"");
#define NAMED(name, rest) "event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n"
static const char MESSAGE[] =
    NAMED("message_start", ",\"message\":{\"id\":\"msg_bench\",\"type\":\"message\","
          "\"role\":\"assistant\",\"model\":\"mock\",\"content\":[],\"stop_reason\":null,"
          "\"stop_sequence\":null,\"usage\":{\"input_tokens\":12,\"output_tokens\":1}}")
    NAMED("content_block_start",
          ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}");
static const char PIECE[] =
    NAMED("content_block_delta",
          ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" lorem%c\"}");
static const char DONE[] = "data: [DONE]\n\n";

static void *checked(void *p) {
    if (!p) { perror("mock: memory"); exit(1); }
    return p;
}

static long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static size_t http_chunk(char *to, const char *event) {
    return (size_t)sprintf(to, "%zx\r\n%s\r\n", strlen(event), event);
}

static void leave_wheel(struct connection *c) {
    if (!c->link) return;
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    c->link = NULL;
    waiting--;
}

static void enter_wheel(struct connection *c) {
    if (!waiting) tick = now_ms();
    struct connection **slot = &wheel[(tick + c->pace_ms) % WHEEL_MS];
    c->next = *slot;
    if (c->next) c->next->link = &c->next;
    *slot = c;
    c->link = slot;
    waiting++;
}

static void drop(struct connection *c) {
    leave_wheel(c);
    close(c->fd);
    free(c->in);
    free(c->own);
    free(c);
    open_connections--;
}

/* The value after a #name= in the request, or the default. */
static long directive(struct connection *c, const char *name, long otherwise) {
    char *at = memmem(c->in, c->in_len, name, strlen(name));
    return at ? strtol(at + strlen(name), NULL, 10) : otherwise;
}

static bool says(struct connection *c, const char *key, const char *value) {
    char *at = memmem(c->in, c->in_len, key, strlen(key));
    if (!at) return false;
    at += strlen(key);
    while (*at == ' ' || *at == ':') at++;
    return strncmp(at, value, strlen(value)) == 0;
}

static void make_own(struct connection *c, const char *type, const char *body, size_t length) {
    free(c->own);
    c->own = checked(malloc(length + 256));
    int head = sprintf(c->own, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                       type, length);
    memcpy(c->own + head, body, length);
    c->out = c->own;
    c->out_len = head + length;
    c->state = WHOLE;
}

static void answer_whole(struct connection *c) {
    char *body = checked(malloc(c->tokens * 7 + 1024)), *p = body;
    p += sprintf(p, "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\","
                 "\"created\":1700000000,\"model\":\"mock\",\"choices\":[{\"index\":0,\"message\":"
                 "{\"role\":\"assistant\",\"refusal\":null,\"content\":\"");
    for (long i = 0; i < c->tokens; i++) p += sprintf(p, " lorem%c", (char)('a' + i % LETTERS));
    p += sprintf(p, "\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":"
                 "{\"prompt_tokens\":12,\"completion_tokens\":%ld,\"total_tokens\":%ld},"
                 "\"system_fingerprint\":\"fp_bench\"}", c->tokens, c->tokens + 12);
    make_own(c, "application/json", body, p - body);
    free(body);
}

static void answer_message(struct connection *c) {
    char *body = checked(malloc(c->tokens * 7 + 1024)), *p = body;
    p += sprintf(p, "{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\","
                 "\"model\":\"mock\",\"content\":[{\"type\":\"text\",\"text\":\"");
    for (long i = 0; i < c->tokens; i++) p += sprintf(p, " lorem%c", (char)('a' + i % LETTERS));
    p += sprintf(p, "\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":"
                 "{\"input_tokens\":12,\"output_tokens\":%ld}}", c->tokens);
    make_own(c, "application/json", body, p - body);
    free(body);
}

static void begin_stream(struct connection *c) {
    c->pace_ms = directive(c, "#pace=", 0) % WHEEL_MS;
    c->owed = c->pace_ms ? 1 : c->tokens;
    c->later = c->tokens - c->owed;
    c->sent = 0;
    c->usage = says(c, "\"include_usage\"", "true");
    static char heads[2][sizeof STREAM_HEAD + sizeof MESSAGE + 16];
    static size_t head_lens[2];
    char *head = heads[c->messages];
    size_t *head_len = &head_lens[c->messages];
    if (!*head_len) {
        *head_len = sprintf(head, "%s", STREAM_HEAD);
        *head_len += http_chunk(head + *head_len, c->messages ? MESSAGE : ROLE);
    }
    c->out = head;
    c->out_len = *head_len;
    c->state = STREAM;
    if (c->later) enter_wheel(c);
}

static void end_stream(struct connection *c) {
    char usage[512], *p = c->own = checked(realloc(c->own, 2048));
    if (c->messages) {
        sprintf(usage, NAMED("content_block_stop", ",\"index\":0")
                NAMED("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\","
                      "\"stop_sequence\":null},\"usage\":{\"output_tokens\":%ld}")
                NAMED("message_stop", ""), c->tokens);
        p += http_chunk(p, usage);
    } else {
        p += http_chunk(p, FINISH);
        if (c->usage) {
            sprintf(usage, "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\","
                    "\"created\":1700000000,\"model\":\"mock\",\"choices\":[],\"usage\":{"
                    "\"prompt_tokens\":12,\"completion_tokens\":%ld,\"total_tokens\":%ld}}\n\n",
                    c->tokens, c->tokens + 12);
            p += http_chunk(p, usage);
        }
        p += http_chunk(p, DONE);
    }
    p = stpcpy(p, "0\r\n\r\n");
    c->out = c->own;
    c->out_len = p - c->own;
    c->state = STREAM_END;
}

/* base64 of D little-endian float32 0.5 (0x3f000000), or the decimal list of them. */
static char *vector(char *p, long dimensions, bool packed) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const unsigned char half[4] = {0, 0, 0, 0x3f};
    if (!packed) {
        *p++ = '[';
        for (long i = 0; i < dimensions; i++) p += sprintf(p, i ? ",%.8f" : "%.8f", 0.5);
        *p++ = ']';
        return p;
    }
    *p++ = '"';
    for (long i = 0, n = dimensions * 4; i < n; i += 3) {
        unsigned v = half[i % 4] << 16 | (i + 1 < n ? half[(i + 1) % 4] << 8 : 0) |
                     (i + 2 < n ? half[(i + 2) % 4] : 0);
        *p++ = alphabet[v >> 18];
        *p++ = alphabet[v >> 12 & 63];
        *p++ = i + 1 < n ? alphabet[v >> 6 & 63] : '=';
        *p++ = i + 2 < n ? alphabet[v & 63] : '=';
    }
    *p++ = '"';
    return p;
}

static void answer_embedding(struct connection *c) {
    char *at = memmem(c->in, c->in_len, "#embed=", 7), *end = NULL, key[64];
    long count = at ? strtol(at + 7, &end, 10) : 1;
    long dimensions = at && *end == 'x' ? strtol(end + 1, NULL, 10) : 8;
    if (count < 1 || count > 2048 || dimensions < 1 || dimensions > 8192) count = 1, dimensions = 8;
    bool packed = says(c, "\"encoding_format\"", "\"base64\"");
    snprintf(key, sizeof key, "%ld.%ld.%d", count, dimensions, packed);
    if (!embedding_key || strcmp(key, embedding_key)) { /* made once for each shape asked */
        free(embedding_key);
        free(embedding);
        embedding_key = checked(strdup(key));
        char *p = embedding = checked(malloc(count * (dimensions * 12 + 128) + 256));
        p += sprintf(p, "{\"object\":\"list\",\"data\":[");
        for (long i = 0; i < count; i++) {
            p += sprintf(p, "%s{\"object\":\"embedding\",\"index\":%ld,\"embedding\":",
                         i ? "," : "", i);
            p = vector(p, dimensions, packed);
            *p++ = '}';
        }
        p += sprintf(p, "],\"model\":\"mock\",\"usage\":{\"prompt_tokens\":%ld,"
                     "\"total_tokens\":%ld}}", count * 8, count * 8);
        embedding_len = p - embedding;
    }
    make_own(c, "application/json", embedding, embedding_len);
}

static void answer(struct connection *c) {
    char text[160];
    requests++;
    char *line_end = memchr(c->in, '\r', c->in_len);
    size_t line = line_end ? (size_t)(line_end - c->in) : 0;
    c->messages = memmem(c->in, line, "/v1/messages", 12) != NULL;
    if (c->messages || memmem(c->in, line, "/chat/completions", 17)) {
        c->tokens = directive(c, "#tokens=", 16);
        if (c->tokens < 1 || c->tokens > 1 << 20) c->tokens = 16;
        if (says(c, "\"stream\"", "true")) begin_stream(c);
        else if (c->messages) answer_message(c);
        else answer_whole(c);
    } else if (memmem(c->in, line, "/embeddings", 11)) {
        answer_embedding(c);
    } else if (memmem(c->in, line, "/stats", 6)) {
        sprintf(text, "{\"connections\":%ld,\"requests\":%ld}", open_connections, requests);
        make_own(c, "application/json", text, strlen(text));
    } else {
        sprintf(text, "{\"object\":\"list\",\"data\":[{\"id\":\"mock\",\"object\":\"model\","
                "\"created\":1700000000,\"owned_by\":\"bench\"}]}");
        make_own(c, "application/json", text, strlen(text));
    }
}

/* Sends what may be sent now. False when the connection is gone. */
static bool pump(struct connection *c) {
    for (;;) {
        while (c->out_len) {
            bool more = c->state == STREAM && c->owed;
            ssize_t n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
            if (n < 0) return errno == EAGAIN || errno == EINTR;
            c->out += n;
            c->out_len -= n;
        }
        if (c->state == STREAM && c->owed) {
            long n = c->owed < TOKENS_PER_WRITE ? c->owed : TOKENS_PER_WRITE;
            c->owed -= n;
            size_t length = token_lens[c->messages];
            c->out = token_blocks[c->messages] + c->sent % LETTERS * length;
            c->out_len = n * length;
            c->sent += n;
        } else if (c->state == STREAM && !c->later) {
            end_stream(c);
        } else if (c->state == STREAM) {
            return true; /* the clock releases the next token */
        } else {
            c->state = IDLE;
            c->in_len = 0; /* one request at a time on a connection */
            return true;
        }
    }
}

/* Length of the complete request at the start of the buffer, 0 when more is to come. */
static size_t complete(struct connection *c) {
    char *body = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!body) return 0;
    body += 4;
    size_t head = body - c->in, length = 0;
    for (char *p = c->in; p < body; p = strchr(p, '\n') + 1) {
        if (!strncasecmp(p, "content-length:", 15)) length = strtoul(p + 15, NULL, 10);
        if (!strncasecmp(p, "transfer-encoding: chunked", 26)) {
            char *end = memmem(body - 2, c->in_len - head + 2, "\r\n0\r\n\r\n", 7);
            return end ? end + 7 - c->in : 0;
        }
    }
    return c->in_len >= head + length ? head + length : 0;
}

static bool receive(struct connection *c) {
    for (;;) {
        if (c->in_cap - c->in_len < 65536) {
            if (c->in_cap > MAX_REQUEST) return false;
            c->in_cap = c->in_cap * 2 + 131072;
            c->in = checked(realloc(c->in, c->in_cap));
        }
        ssize_t n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len - 1, 0);
        if (n == 0) return false;
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        c->in_len += n;
        c->in[c->in_len] = 0;
        if (c->state != IDLE) continue; /* the next request waits until this answer is out */
        if (complete(c)) {
            answer(c);
            if (!pump(c)) return false;
        }
    }
}

static void accept_all(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct connection *c = checked(calloc(1, sizeof *c));
        c->fd = fd;
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
        open_connections++;
    }
}

static void run_clock(void) {
    for (long now = now_ms(); tick < now;) {
        tick++;
        struct connection *c = wheel[tick % WHEEL_MS], *next;
        for (; c; c = next) {
            next = c->next;
            leave_wheel(c);
            c->owed++;
            if (--c->later) enter_wheel(c);
            if (!pump(c)) drop(c);
        }
    }
}

static void make_token_block(const char *token, size_t size, bool messages) {
    char event[sizeof PIECE + sizeof TOKEN], *block;
    size_t length = 0;
    block = checked(malloc((LETTERS + TOKENS_PER_WRITE) * (size + 16)));
    for (int i = 0; i < LETTERS + TOKENS_PER_WRITE; i++) {
        sprintf(event, token, 'a' + i % LETTERS);
        length = http_chunk(block + i * length, event);
    }
    token_blocks[messages] = block;
    token_lens[messages] = length;
}

int main(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    make_token_block(TOKEN, sizeof TOKEN, false);
    make_token_block(PIECE, sizeof PIECE, true);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) {
        perror("mock: listen");
        return 1;
    }
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    poller = epoll_create1(0);
    struct epoll_event events[EVENTS], e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
    for (tick = now_ms();;) {
        run_clock(); /* before the wait: it may drop connections that an event would name */
        int n = epoll_wait(poller, events, EVENTS, waiting ? 1 : 1000);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) { accept_all(listener); continue; }
            bool alive = !(events[i].events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP));
            if (alive && c->state != IDLE) alive = pump(c);
            if (alive && events[i].events & EPOLLIN) alive = receive(c);
            if (!alive) drop(c);
        }
    }
}
