#pragma once

#include "device/device.hpp"
#include "launch.cuh"

/// Each operation as the first kernel one would write: a thread per output (or per row), no shared memory, no
/// packs. What the operations of kernels/ must beat, and must agree with.
namespace incipit::device::bench::naive {

template <class T, class Result>
void run(const cuda::Call& call, const MatrixProduct<T, Result>& op);
void run(const cuda::Call& call, const GatherRows& op);
template <Number T>
void run(const cuda::Call& call, const DoubleLayerNorm<T>& op);
template <Number T>
void run(const cuda::Call& call, const RotarySplit<T>& op);
template <Number T>
void run(const cuda::Call& call, const Attention<T>& op);
template <Number T>
void run(const cuda::Call& call, const BiasActivation<T>& op);
void run(const cuda::Call& call, const AddBias& op);
void run(const cuda::Call& call, const CountNonfinite& op);
void run(const cuda::Call& call, const NextTokenLoss& op);

void run(const cuda::Call& call, const GatherCentred<float>& op);
void run(const cuda::Call& call, const EncodeTopK<float>& op);
void run(const cuda::Call& call, const SaeDecode<float>& op);
void run(const cuda::Call& call, const SaeGradient<float>& op);
void run(const cuda::Call& call, const SaeAuxiliary<float>& op);
void run(const cuda::Call& call, const SaeAdam<float>& op);
void run(const cuda::Call& call, const SaeIdle<float>& op);
void run(const cuda::Call& call, const SaeDead& op);
void run(const cuda::Call& call, const SaeLoss& op);

void run(const cuda::Call& call, const DrawBootstrap& op);
void run(const cuda::Call& call, const DrawPermutations& op);
void run(const cuda::Call& call, const LatentHistogram& op);
void run(const cuda::Call& call, const ActivationSum& op);
void run(const cuda::Call& call, const SetMaximum& op);
void run(const cuda::Call& call, const LatentGroups& op);
void run(const cuda::Call& call, const ResampleCounts& op);
void run(const cuda::Call& call, const ResampleLatents& op);
template <class T>
void run(const cuda::Call& call, const RankScores<T>& op);
void run(const cuda::Call& call, const ResampleAuc& op);

template <class T>
void run(const cuda::Call& call, const CrossCovariance<T>& op);

}  // namespace incipit::device::bench::naive
