#include "numbers.hpp"

namespace incipit::device {
namespace {

/// No rows at all are no work, and no error: null pointers everywhere.
class EmptyOn : public OnEveryDevice {};

TEST_P(EmptyOn, OperationsOnNoRowsDoNothing) {
  device_->add_bias({.d = 5});
  device_->gather_rows({.d = 5});
  device_->embed_tokens({.d = 5});
  device_->full_attention({.heads = 2, .head_size = 8});
  device_->pool_rows({.d = 5});
  device_->count_nonfinite({.d = 5});
  for_every_number([&]<Number T>() {
    device_->bias_activation(BiasActivation<T>{.d = 5});
    device_->double_layer_norm(DoubleLayerNorm<T>{.d = 5});
    device_->rotary_split(RotarySplit<T>{.heads = 2, .head_size = 8, .rotary_dims = 4});
    device_->attention(Attention<T>{.heads = 2, .head_size = 8});
    device_->matmul(MatrixProduct<T>{.n = 3, .k = 5, .lda = 5, .ldb = 3, .ldc = 3});
    device_->matmul(MatrixProduct<T, float>{.n = 3, .k = 5, .lda = 5, .ldb = 3, .ldc = 3});
  });
  device_->matmul(MatrixProduct<double>{.n = 3, .k = 5, .lda = 5, .ldb = 3, .ldc = 3});
  device_->svd({.n = 5});
  device_->qr_of_transpose({.d = 5});
  device_->gather_centred(GatherCentred<float>{.d = 5});
  device_->encode_top_k(EncodeTopK<float>{.d = 5, .h = 7, .keep = 1});
  device_->encode_top_k(EncodeTopK<double>{.d = 5, .h = 7, .keep = 3});
  device_->sae_decode(SaeDecode<float>{.d = 5, .k = 1, .keep = 4});
  device_->sae_adam(SaeAdam<float>{.d = 5, .step = 1});
  device_->sae_adam(SaeAdam<double>{.d = 5, .unit_rows = true, .step = 1});
  device_->draw_bootstrap({.groups = 3, .subjects = 2});
  device_->draw_permutations({.n = 4, .groups = 3, .cells = 2});
  device_->activation_sum({.keep = 2, .h = 3, .sets = 2});
  device_->activation_sum({.n = 4, .keep = 0, .h = 3});
  device_->set_maximum({.h = 3, .sets = 2});
  device_->rank_scores(RankScores<float>{.n = 4});
  device_->rank_scores(RankScores<double>{.sets = 2});
  device_->resample_counts({.of = {.n = 4, .subjects = 2, .bootstrap = 3, .permutations = 3}});
  device_->resample_latents({.of = {.n = 4, .subjects = 2, .bootstrap = 3, .permutations = 3}});
  device_->resample_auc({.of = {.n = 4, .subjects = 2, .bootstrap = 3, .permutations = 3}});
  device_->synchronize();
}

TEST_P(EmptyOn, GradientsOfAnEmptyBatchAreZero) {
  const Buffer<float> weights(*device_, std::span<const float>(std::vector<float>(15, 2.0F)));
  Buffer<float> encoder(*device_, std::span<const float>(std::vector<float>(15, 1.0F)));
  Buffer<float> decoder(*device_, std::span<const float>(std::vector<float>(15, 1.0F)));
  Buffer<float> bias(*device_, std::span<const float>(std::vector<float>(3, 1.0F)));
  Buffer<float> pre_bias(*device_, std::span<const float>(std::vector<float>(5, 1.0F)));
  device_->sae_gradient(SaeGradient<float>{.d = 5,
                                           .h = 3,
                                           .k = 1,
                                           .keep = 2,
                                           .weights = weights.data(),
                                           .encoder = encoder.data(),
                                           .encoder_bias = bias.data(),
                                           .decoder = decoder.data(),
                                           .pre_bias = pre_bias.data()});
  EXPECT_EQ(encoder.download(), std::vector<float>(15, 0.0F));
  EXPECT_EQ(decoder.download(), std::vector<float>(15, 0.0F));
  EXPECT_EQ(bias.download(), std::vector<float>(3, 0.0F));
  EXPECT_EQ(pre_bias.download(), std::vector<float>(5, 0.0F));
}

INCIPIT_ON_EVERY_DEVICE(EmptyOn);

}  // namespace
}  // namespace incipit::device
