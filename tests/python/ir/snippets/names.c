void names(int32_t *restrict int_, int32_t for_, int32_t lambda_, int32_t min_)
{
    for (int32_t i = 0; i < for_; ++i) {
        for (int32_t i_2 = i; i_2 < lambda_; i_2 += 2) {
            const int32_t a = int_[i_2];
            int_[i] = min_;
            int_[0] = a;
        }
        const int32_t a = int_[i];
        int_[i] = min_;
        int_[1] = a;
    }
    for (int32_t i = 0; i < for_; ++i) {
        int_[i] = min_;
    }
}
