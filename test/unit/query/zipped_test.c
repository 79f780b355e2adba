/*
 * zipped: queries over compressed parts inflate what they need, answer what plain parts answer, and
 * name what is damaged.
 */
#include "kit.h"

#include "column/image.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS  60000
#define SYMS  10
#define BLOCK 4096 /* plain bytes of a block: 512 prices */

static const CodecChoice gzip = {CODEC_GZIP, 1, 12};

/* One date part of ten symbols, whose times ascend by a second; prices are quarters, so that sums
 * do not depend on their order. */
static void build(Kit *k, const CodecChoice *codec, u32 columns_max, int threads)
{
    Prng p;
    char name[16];
    i32 ids[SYMS];
    u8 guid[16] = {0};
    prng_init(&p, 5);
    kit_make(k, columns_max, threads);
    k->codec = *codec;
    for (u32 i = 0; i < SYMS; i++) {
        snprintf(name, sizeof name, "S%u", i);
        KIT_OK(symbol_intern(str_of(name), &ids[i]));
    }
    for (u32 i = 0; i < ROWS; i++) {
        i64 time = (i64)KIT_DAY * TEMPORAL_DAY_NS + (i64)i * 1000000000,
            size = (i64)prng_below(&p, 100);
        f64 price = (f64)prng_below(&p, 4000) / 4;
        f32 real = (f32)prng_below(&p, 64) / 4;
        i32 qty = (i32)prng_below(&p, 1000), date = KIT_DAY + (i32)(i % 3);
        i16 small = (i16)prng_below(&p, 20);
        u8 byte = (u8)prng_below(&p, 2);
        char note[64];
        int n = snprintf(note, sizeof note, "note %u of many", (u32)prng_below(&p, 500));
        const void *cells[COL_COUNT] = {&time,       &ids[i % SYMS], &price, &size, &byte,
                                        &ids[i % 2], &qty,           guid,   NULL,  &byte,
                                        &small,      &real,          &date,  &byte};
        guid[15] = (u8)i;
        for (u32 c = 0; c < COL_COUNT; c++) {
            if (c == COL_NOTE) {
                KIT_OK(vec_append_row(&k->rows.cols[c], note, (u64)n));
            } else {
                KIT_OK(vec_append(&k->rows.cols[c], cells[c], 1));
            }
        }
        k->rows.rows++;
    }
    kit_part(k, PART_DATE, KIT_DAY, 0, ROWS, KIT_DAY, false);
}

/* The answer to JSON arguments as CSV text, or the error. */
static void ask(Kit *k, const char *json, Buf *text)
{
    Arena a = {0};
    Request r;
    Value table;
    KIT_OK(kit_parse(k, json, &a, &r));
    Err err = kit_run(k, &r, &a, &table, NULL);
    buf_clear(text);
    if (err == E_OK) {
        KIT_OK(csv_write(text, &table, true));
    } else {
        KIT_OK(buf_format(text, "%s: %s", fail_name(err), fail_text()));
    }
    arena_free(&a);
}

static const char *const questions[] = {
    "{'table':'trade','agg':[['s','sum','price'],['n','count','price'],['m','max','qty']]}",
    "{'table':'trade','agg':[['w','wavg','size','price'],['v','dev','real'],['a','any','flag']]}",
    "{'table':'trade','groupBy':'sym','agg':[['s','sum','price'],['l','last','price'],['f','first',"
    "'note'],['d','distinct','small']]}",
    "{'table':'trade','groupBy':['ex','date'],'agg':[['s','sum','price'],['l','last','note'],['t',"
    "'max','time']]}",
    "{'table':'trade','groupBy':'note','agg':[['n','count','sym']]}",
    "{'table':'trade','filter':['>','price',500],'agg':[['s','sum','qty'],['t','sum','price'],['u',"
    "'sum','small'],['n','count','note']]}",
    "{'table':'trade','filter':['or',['<','qty',300],['like','note','*7 of*']],'agg':[['s','sum',"
    "'size'],['m','max','price'],['w','wavg','size','price'],['l','last','note'],['d','distinct',"
    "'ex']]}",
    "{'table':'trade','filter':['<>','ex','S1'],'groupBy':['small','ex'],'agg':[['s','sum','price'"
    "],['f','first','note'],['l','last','time']]}",
    "{'table':'trade','filter':['>','real',3],'startTS':'2024.05.14D01:00:07','endTS':'2024.05."
    "14D02:11:03','groupBy':'sym','agg':[['s','sum','qty'],['n','count','id']]}",
    "{'table':'trade','temporality':'slice','slice':['01:00','01:02'],'agg':[['s','sum','size']]}",
    "{'table':'trade','filter':['=','sym','S3'],'startTS':'2024.05.14D05:00','endTS':'2024.05."
    "14D05:01'}",
    "{'table':'trade','filter':[['>','price',990],['like','note','*7 of*']]}",
    "{'table':'trade','filter':['or',['<','qty',3],['=','id','00000000-0000-0000-0000-"
    "000000000007']],'agg':['time','sym','id','note'],'limit':50}",
    "{'table':'trade','sortCols':'qty','limit':-20}",
    "{'table':'trade','agg':['note'],'limit':-700}",
    "{'table':'trade','temporality':'slice','slice':['01:00','01:02'],'agg':['sym','price']}",
};

static void answers_are_those_of_a_plain_part(void **state)
{
    (void)state;
    Kit plain, zipped;
    Buf want = {0}, got = {0};
    CodecChoice none = {0};
    for (u32 round = 0; round < 2; round++) {
        image_cache_bound(round == 0 ? 0 : 4 * BLOCK);
        build(&plain, &none, 100, 1);
        build(&zipped, &gzip, 100, 1 + (int)round * 3);
        for (u32 i = 0; i < 2 * COUNT_OF(questions); i++) {
            ask(&plain, questions[i / 2], &want);
            ask(&zipped, questions[i / 2], &got);
            assert_string_equal(buf_str(&got), buf_str(&want));
            assert_non_null(strchr(buf_str(&want), 10)); /* no error */
        }
        kit_end(&plain);
        kit_end(&zipped);
    }
    image_cache_bound(0);
    buf_free(&want);
    buf_free(&got);
}

/* How many blocks a question inflates. */
static u64 cost(Kit *k, const char *json)
{
    Buf text = {0};
    u64 before = image_inflated();
    ask(k, json, &text);
    assert_non_null(strchr(buf_str(&text), 10)); /* no error */
    buf_free(&text);
    return image_inflated() - before;
}

static void only_blocks_of_the_range_are_inflated(void **state)
{
    (void)state;
    Kit k;
    const char *minute = "{'table':'trade','filter':['=','sym','S3'],'startTS':'2024.05.14D05:00','"
                         "endTS':'2024.05.14D05:01','agg':['price']}";
    const char *other = "{'table':'trade','filter':['=','sym','S3'],'startTS':'2024.05.14D08:00','"
                        "endTS':'2024.05.14D08:01','agg':['price']}";
    u64 run = ROWS / SYMS * 8 / BLOCK + 2; /* blocks of a symbol's run of eight bytes a row */
    build(&k, &gzip, 100, 1);
    /* the headers and the index of the first, the times of the run, a block or two of prices */
    u64 first = cost(&k, minute);
    assert_in_range(first, 3, 3 + 1 + run + 2);
    /* all that is known now, or kept */
    assert_int_equal(cost(&k, minute), 0);
    assert_in_range(cost(&k, other), 1, 2);
    /* one symbol's run of a column */
    u64 sum = cost(&k, "{'table':'trade','filter':['=','sym','S7'],'agg':[['s','sum','size']]}");
    assert_in_range(sum, run - 2, run + 1);
    /* a filter that nothing passes reads its own column alone */
    u64 none = cost(&k, "{'table':'trade','filter':['>','real',100],'agg':['note','id','price']}");
    assert_in_range(none, ROWS * 4 / BLOCK, ROWS * 4 / BLOCK + 8);
    kit_end(&k);
}

/* A scan fills free room of the cache when it comes the second time, and pushes nothing out. */
static void what_is_scanned_again_is_kept(void **state)
{
    (void)state;
    Kit k;
    const char *scan = "{'table':'trade','agg':[['s','sum','price']]}";
    u64 blocks = ROWS * 8 / BLOCK;
    build(&k, &gzip, 100, 1);
    assert_in_range(cost(&k, scan), blocks, blocks + 3);
    assert_in_range(cost(&k, scan), blocks - 1, blocks + 3);
    assert_int_equal(cost(&k, scan), 0);
    kit_end(&k);
    image_cache_bound(8 * BLOCK);
    build(&k, &gzip, 100, 1);
    for (u32 i = 0; i < 4; i++)
        assert_in_range(cost(&k, scan), blocks - 8, blocks + 3);
    image_cache_bound(0);
    kit_end(&k);
}

static void flip(const Kit *k, const char *column, u64 at)
{
    char path[600];
    u8 byte;
    snprintf(path, sizeof path, "%s/trade/%s", k->dates->parts[0].path, column);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= 0x55;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

static void a_damaged_block_is_named_when_it_is_needed(void **state)
{
    (void)state;
    Kit k;
    Buf text = {0};
    build(&k, &gzip, 100, 1);
    u64 size = 0;
    struct stat st;
    char path[600];
    snprintf(path, sizeof path, "%s/trade/price", k.dates->parts[0].path);
    assert_int_equal(stat(path, &st), 0);
    size = (u64)st.st_size;
    flip(&k, "price", size / 2); /* a block of the middle symbols */
    flip(&k, "note#", 6000);
    ask(&k, "{'table':'trade','filter':['=','sym','S0'],'agg':[['s','sum','price']]}", &text);
    assert_null(strstr(buf_str(&text), "CORRUPT"));
    ask(&k, "{'table':'trade','filter':['=','sym','S9'],'agg':['price']}", &text);
    assert_null(strstr(buf_str(&text), "CORRUPT"));
    static const char *const hit[] = {
        "{'table':'trade','agg':[['s','sum','price']]}",
        "{'table':'trade','groupBy':'ex','agg':[['s','max','price']]}",
        "{'table':'trade','filter':['>','price',3]}",
        "{'table':'trade','agg':['price']}",
        "{'table':'trade','groupBy':'price','agg':[['n','count','sym']]}",
    };
    for (u32 i = 0; i < COUNT_OF(hit); i++) {
        ask(&k, hit[i], &text);
        assert_non_null(strstr(buf_str(&text), "corrupt"));
        assert_non_null(strstr(buf_str(&text), "d8900/trade/price: block "));
    }
    ask(&k, "{'table':'trade','agg':['note']}", &text);
    assert_non_null(strstr(buf_str(&text), "d8900/trade/note#: block "));
    kit_end(&k);
    buf_free(&text);
}

typedef struct {
    Run *run;
    Value table;
    Err err;
} Job;

static void *execute(void *arg)
{
    Job *j = arg;
    j->err = run_execute(j->run, &j->table);
    return NULL;
}

/* Several queries at once, each by several threads, over a cache that holds hardly a block. */
static void queries_of_many_threads_share_blocks(void **state)
{
    (void)state;
    Kit k;
    Buf want[COUNT_OF(questions)] = {{0}}, got = {0};
    image_cache_bound(3 * BLOCK);
    build(&k, &gzip, 100, 3);
    for (u32 i = 0; i < COUNT_OF(questions); i++)
        ask(&k, questions[i], &want[i]);
    for (u32 round = 0; round < 2; round++) {
        Arena a[COUNT_OF(questions)] = {{0}};
        Request r[COUNT_OF(questions)];
        Job jobs[COUNT_OF(questions)] = {{0}};
        pthread_t threads[COUNT_OF(questions)];
        for (u32 i = 0; i < COUNT_OF(questions); i++) {
            KIT_OK(kit_parse(&k, questions[i], &a[i], &r[i]));
            KIT_OK(run_prepare(&k.source, &r[i], &a[i], &jobs[i].run));
            assert_int_equal(pthread_create(&threads[i], NULL, execute, &jobs[i]), 0);
        }
        for (u32 i = 0; i < COUNT_OF(questions); i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(jobs[i].err, E_OK);
            buf_clear(&got);
            KIT_OK(csv_write(&got, &jobs[i].table, true));
            assert_string_equal(buf_str(&got), buf_str(&want[i]));
            run_finish(jobs[i].run, NULL);
            arena_free(&a[i]);
        }
    }
    image_cache_bound(0);
    for (u32 i = 0; i < COUNT_OF(questions); i++)
        buf_free(&want[i]);
    buf_free(&got);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_a_plain_part),
        cmocka_unit_test(only_blocks_of_the_range_are_inflated),
        cmocka_unit_test(what_is_scanned_again_is_kept),
        cmocka_unit_test(a_damaged_block_is_named_when_it_is_needed),
        cmocka_unit_test(queries_of_many_threads_share_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
