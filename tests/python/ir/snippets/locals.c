void locals(const int8_t *restrict m, int32_t *restrict o, int32_t n)
{
    for (int32_t i = 0; i < n; ++i) {
        int32_t acc = 0;
        for (int32_t k = 0; k < n; ++k) {
            acc = acc + (int32_t)m[k];
        }
        o[i] = acc;
    }
    int32_t late;
    float many[3];
    if (0 < n) {
        late = 0;
    } else {
        late = o[0];
    }
    many[1] = 2.5f;
    o[0] = (int32_t)many[1] + late;
}
