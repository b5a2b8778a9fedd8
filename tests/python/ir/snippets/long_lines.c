void long_lines(int32_t *restrict destination, int32_t multiplicand, int32_t multiplier)
{
    destination[0] = weft_clamp((multiplicand * multiplier + weft_max(multiplicand, multiplier)) *
        multiplier, multiplicand, multiplier) + multiplicand;
}
