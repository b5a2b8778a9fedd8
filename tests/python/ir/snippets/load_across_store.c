void across_store(int32_t *restrict m)
{
    const int32_t old = m[0];
    const int32_t more = old + 7;
    m[0] = 7;
    m[1] = more;
}
