//! Two futures at a time.

use std::{
    future::poll_fn,
    pin::pin,
    task::Poll::{Pending, Ready},
};

/// Drives both to their ends. As `tokio::join!`, without the feature that brings a procedural macro along.
pub(in crate::audit) async fn both<A, B>(
    one: impl Future<Output = A>,
    other: impl Future<Output = B>,
) -> (A, B) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let mut ready = (None, None);
    poll_fn(|context| {
        if ready.0.is_none()
            && let Ready(value) = one.as_mut().poll(context)
        {
            ready.0 = Some(value);
        }
        if ready.1.is_none()
            && let Ready(value) = other.as_mut().poll(context)
        {
            ready.1 = Some(value);
        }
        match std::mem::take(&mut ready) {
            (Some(one), Some(other)) => Ready((one, other)),
            half => {
                ready = half;
                Pending
            }
        }
    })
    .await
}
