/*
 * job_fuzz: any q object as a worker's result and as an interval's signal.
 */
#include "base/fail.h"
#include "q/wire.h"
#include "writedown/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena a = {.size_max = 64 << 20};
    Value v;
    JobResult r;
    JobSignal s;
    if (job_decode_signal(data, size, &s) == E_OK) ASSERT(s.day >= INT32_MIN);
    if (wire_decode(data, size, &a, &v) == E_OK && job_result_parse(&v, &a, &r) == E_OK)
        for (u32 i = 0; i < r.part_count; i++)
            ASSERT(r.parts[i].path[0] == '/');
    arena_free(&a);
    return 0;
}
